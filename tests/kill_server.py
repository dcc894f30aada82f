"""A QueueDouble over HTTP on loopback, which can kill its client at any request.

before: the client dies when the request has arrived and nothing was done. after: when it was done
and nothing answered. during: when half of the answer was sent.
"""

import os
import signal
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
from queue_double import QueueDouble


class Server:
    """Queue and data at two ports."""

    def __init__(self):
        self.victim = None
        self.kill_at = None  # (number of the request, "before" | "during" | "after")
        self.number = 0
        self._servers = [ThreadingHTTPServer(("127.0.0.1", 0), self._handler()) for _ in range(2)]
        self.base, self.data = (f"http://127.0.0.1:{s.server_port}" for s in self._servers)
        self.reset()
        for server in self._servers:
            threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()

    def reset(self):
        self.double = QueueDouble(self.base, self.data)
        self.double.timeline = ["submitted", "running", "finished"]
        self.number, self.kill_at, self.victim = 0, None, None

    def close(self):
        for server in self._servers:
            server.shutdown()
            server.server_close()

    def _kill(self, moment):
        if self.victim and self.kill_at == (self.number, moment):
            os.kill(self.victim, signal.SIGKILL)
            self.victim = None
            return True
        return False

    def _handler(outer):  # noqa: N805
        class Handler(BaseHTTPRequestHandler):
            def do(self):
                outer.number += 1
                if outer._kill("before"):
                    return
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                url = f"http://{self.headers['host']}{self.path}"
                request = httpx.Request(self.command, url, headers=dict(self.headers), content=body)
                response = outer.double.handle(request)
                content = response.read()
                if outer._kill("after"):
                    return
                self.send_response(response.status_code)
                for name in ("content-range", "etag", "location"):
                    if name in response.headers:
                        self.send_header(name, response.headers[name])
                self.send_header("content-length", str(len(content)))
                self.end_headers()
                half = len(content) // 2
                try:
                    self.wfile.write(content[:half])
                    self.wfile.flush()
                    if not outer._kill("during"):
                        self.wfile.write(content[half:])
                except ConnectionError:
                    self.close_connection = True

            do_GET = do_POST = do_DELETE = do  # noqa: N815

            def log_message(self, *arguments):
                return

        return Handler
