"""An ASGI application at an address of this machine, in a thread of its own."""

from __future__ import annotations

import asyncio
import logging
import socket
import threading

import uvicorn
from starlette.types import ASGIApp

from .hostile import Connections

LOOPBACK = "127.0.0.1"
PATIENCE = 30.0
"""s that starting or stopping may take before something is badly wrong."""


class _Server(uvicorn.Server):
    """uvicorn, told to stop by an event and not by a flag that it looks at now and then."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = threading.Event()
        self._end: asyncio.Event | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    async def main_loop(self) -> None:
        self._loop, self._end = asyncio.get_running_loop(), asyncio.Event()
        await self.on_tick(0)  # sets the headers of every answer
        self.ready.set()
        await self._end.wait()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Go away at once, as a killed process does; uvicorn's own takes its leave."""
        for server in self.servers:
            server.close()
        for listener in sockets or []:
            listener.close()
        for connection in list(self.server_state.connections):
            connection.transport.abort()
        await asyncio.sleep(0)

    def end(self) -> None:
        self.ready.wait(PATIENCE)
        if self._loop is not None and self._end is not None:
            self._loop.call_soon_threadsafe(self._end.set)


class Address:
    """Serves `app` on loopback; port 0 takes a free one, which stays the same from then on."""

    def __init__(self, app: ASGIApp, connections: Connections, port: int = 0) -> None:
        self.app = app
        self.connections = connections
        self.port = port
        self._server: _Server | None = None
        self._thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        return f"http://{LOOPBACK}:{self.port}"

    @property
    def up(self) -> bool:
        return self._server is not None

    def start(self) -> None:
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((LOOPBACK, self.port))
            listener.listen(128)
        except OSError:
            listener.close()
            raise
        self.port = listener.getsockname()[1]
        logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL + 1)  # failures are wanted
        config = uvicorn.Config(
            self.app,
            http=self.connections.protocol(),
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
        )
        self._server = _Server(config)
        self._thread = threading.Thread(
            target=self._server.run, kwargs={"sockets": [listener]}, daemon=True
        )
        self._thread.start()
        if not self._server.ready.wait(PATIENCE):
            raise RuntimeError(f"{self.url}: the server did not start")

    def stop(self) -> None:
        """Stop at once; requests that are being answered are cut off."""
        if self._server is None or self._thread is None:
            return
        self._server.end()
        self._thread.join(PATIENCE)
        self._server = self._thread = None
