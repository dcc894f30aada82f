"""Between the network and the service: logs the requests, and does to them what was asked for."""

from __future__ import annotations

import asyncio
import json
import socket
import struct
import threading
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from .identity import Identity
from .misbehaviour import MAINTENANCE, ON_REQUEST, Active, Misbehaviours

EVERYBODY = ("maintenance",)
"""Misbehaviours that meet providers too."""


@dataclass
class Request:
    """One request that arrived. status: None where no answer was sent."""

    where: str
    """ "queue" or "data"."""
    method: str
    path: str
    query: str
    who: str
    """ "user" (with a token), "provider" (with a key) or "nobody"."""
    status: int | None = None


class RequestLog:
    """Every request, in the order of arrival. Holds no token and no key."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._requests: list[Request] = []

    def add(self, request: Request) -> None:
        with self._lock:
            self._requests.append(request)

    def all(self) -> list[Request]:
        with self._lock:
            return list(self._requests)


class Connections:
    """The open connections of a server, so that they can be cut from within a request."""

    def __init__(self) -> None:
        self._open: dict[tuple[str, int], tuple[asyncio.Transport, asyncio.Event]] = {}

    def protocol(self) -> type[H11Protocol]:
        """The HTTP protocol for a server whose connections are to be known here."""
        connections = self._open

        class Protocol(H11Protocol):
            def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
                super().connection_made(transport)
                if self.client:
                    connections[self.client] = (transport, asyncio.Event())

            def connection_lost(self, exc: Exception | None) -> None:
                super().connection_lost(exc)
                if self.client in connections:
                    connections.pop(self.client)[1].set()

        return Protocol

    async def cut(self, client: tuple[str, int], reset: bool) -> None:
        """Close the connection of `client` at once, with a reset if wanted."""
        if client not in self._open:
            return
        transport, closed = self._open[client]
        if reset:
            connection: socket.socket = transport.get_extra_info("socket")
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        transport.abort()
        await closed.wait()


class Hostile:
    """An application around another one, as the network and the gateway around a service are."""

    def __init__(
        self,
        app: ASGIApp,
        where: str,
        misbehaviours: Misbehaviours,
        connections: Connections,
        log: RequestLog,
        identity: Identity,
        away: Callable[[], str],
        restart: Callable[[], None],
    ) -> None:
        """where: "queue" or "data". away: address of another host. restart: must return at once."""
        self.app = app
        self.where = where
        self.misbehaviours = misbehaviours
        self.connections = connections
        self.log = log
        self.identity = identity
        self.away = away
        self.restart = restart

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request = Request(
            self.where,
            scope["method"],
            scope["path"],
            scope["query_string"].decode("ascii", "replace"),
            _who(scope),
        )
        self.log.add(request)

        async def counted(message: Message) -> None:
            if message["type"] == "http.response.start":
                request.status = message["status"]
            await send(message)

        active = self._due(request)
        if active is None:
            await self._serve(scope, receive, counted, request)
        else:
            await self._misbehave(active, request, scope, receive, counted)

    def _due(self, request: Request) -> Active | None:
        names = [name for name in ON_REQUEST if request.who != "provider" or name in EVERYBODY]
        if request.who != "user":
            names = [name for name in names if name not in ("identity_down", "expire_tokens")]
        path = request.path if self.where == "queue" else f"data:{request.path}"
        if self.where == "data":
            names = [name for name in names if name not in ("maintenance", "redirect_away")]
        return self.misbehaviours.take(*names, method=request.method, path=path)

    async def _serve(self, scope: Scope, receive: Receive, send: Send, request: Request) -> None:
        try:
            await self.app(scope, receive, send)
        except Exception:
            request.status = 500  # uvicorn says so, and closes the connection
            raise

    async def _misbehave(
        self, active: Active, request: Request, scope: Scope, receive: Receive, send: Send
    ) -> None:
        name = active.name
        if name in ("drop_post_answer", "drop_answer"):
            try:
                await self.app(scope, receive, _swallow)
            finally:
                await self.connections.cut(scope["client"], reset=False)
        elif name == "reset":
            await self.connections.cut(scope["client"], reset=True)
        elif name == "never":
            while (await receive())["type"] != "http.disconnect":
                continue
        elif name == "slow":
            await asyncio.sleep(float(active.value))
            await self._serve(scope, receive, send, request)
        elif name == "expire_tokens":
            self.identity.expire_all()
            await self._serve(scope, receive, send, request)
        elif name in ("error_500", "identity_down", "post_then_500"):
            if name == "post_then_500":
                await self.app(scope, receive, _swallow)
            else:
                await _read(receive)
            await _answer(send, 500, "text/plain; charset=utf-8", "Internal Server Error", {})
            raise Misbehaved(name)
        elif name == "restart":
            if active.value == "after":
                await self.app(scope, receive, _swallow)
            self.restart()
            await self.connections.cut(scope["client"], reset=True)
        else:
            await _read(receive)
            await _answer(send, *self._canned(active, request))

    def _canned(self, active: Active, request: Request) -> tuple[int, str, str, dict[str, str]]:
        """Status, type, body and headers of an answer that asks nobody."""
        if active.name == "error_503":
            body = {"error": "The service is overloaded"}
            return 503, "application/json", json.dumps(body), {"retry-after": active.value}
        if active.name == "error_429":
            body = {"detail": "Too Many Requests"}
            return 429, "application/json", json.dumps(body), {"retry-after": active.value}
        if active.name == "maintenance":
            body = {"error": MAINTENANCE[active.value]}
            return 503, "application/json", json.dumps(body), {}
        if active.name == "redirect_away":
            return 307, "", "", {"location": self.away() + request.path}
        assert active.name == "html_answer"
        return 200, "text/html", "<html><body>Please log in</body></html>", {}


class Misbehaved(Exception):
    """Ends a request as a failure inside the service does."""


async def _read(receive: Receive) -> None:
    """Take the whole request in: closing on unread data would take the answer back."""
    while True:
        message = await receive()
        if message["type"] == "http.disconnect" or not message.get("more_body", False):
            return


async def _swallow(message: Message) -> None:
    """Take an answer that nobody will see."""


async def _answer(
    send: Callable[[Message], Awaitable[None]],
    status: int,
    content_type: str,
    text: str,
    headers: dict[str, str],
) -> None:
    body = text.encode()
    sent = {"content-length": str(len(body)), **headers}
    if content_type:
        sent["content-type"] = content_type
    pairs = [(name.encode(), value.encode()) for name, value in sent.items()]
    await send({"type": "http.response.start", "status": status, "headers": pairs})
    await send({"type": "http.response.body", "body": body})


def _who(scope: Scope) -> str:
    names = {name for name, _ in scope["headers"]}
    if b"authorization" in names:
        return "user"
    return "provider" if b"x-api-key" in names else "nobody"
