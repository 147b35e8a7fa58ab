"""An HTTP proxy in front of an object store that fails on purpose, by a seeded plan."""

from __future__ import annotations

import random
import socket
import struct
import threading
import time
from collections import Counter
from http.client import HTTPConnection, HTTPResponse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

KINDS = ("error500", "error503", "reset_before", "reset_after", "truncated", "stall")
"""reset_after and truncated let the request through and lose the answer."""


class FlakyProxy:
    """Listens on a free port of the loopback interface and passes requests to `upstream` (host, port).

    rate: share of requests that fail, at most `in_a_row` times for one method and path.
    """

    def __init__(
        self,
        upstream: tuple[str, int],
        *,
        rate: float = 0.0,
        kinds: tuple[str, ...] = KINDS,
        seed: int = 0,
        in_a_row: int = 2,
        stall_s: float = 0.3,
    ) -> None:
        self.upstream, self.rate, self.kinds, self.in_a_row, self.stall_s = upstream, rate, kinds, in_a_row, stall_s
        self.faults: Counter[str] = Counter()
        self.requests = 0
        self._random = random.Random(seed)
        self._row: Counter[tuple[str, str]] = Counter()
        self._lock = threading.Lock()
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _handle(self) -> None:
                proxy._serve(self)

            do_GET = do_PUT = do_HEAD = do_DELETE = do_POST = _handle

            def log_message(self, format: str, *args: object) -> None: ...

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, request: object, client_address: object) -> None: ...

        self._server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()

    def _draw(self, method: str, path: str) -> str | None:
        with self._lock:
            self.requests += 1
            at = method, path
            if self._random.random() >= self.rate or self._row[at] >= self.in_a_row:
                self._row[at] = 0
                return None
            self._row[at] += 1
            kind = self._random.choice(self.kinds)
            self.faults[kind] += 1
            return kind

    def _serve(self, handler: BaseHTTPRequestHandler) -> None:
        body = handler.rfile.read(int(handler.headers.get("Content-Length") or 0))
        fault = self._draw(handler.command, handler.path.partition("?")[0])
        if fault == "reset_before":
            return _reset(handler)
        if fault in ("error500", "error503"):
            handler.send_response(int(fault[-3:]))
            handler.send_header("Content-Length", "0")
            return handler.end_headers()
        if fault == "stall":
            time.sleep(self.stall_s)
        response, data = self._forward(handler, body)
        if fault == "reset_after":
            return _reset(handler)
        handler.send_response(response.status)
        for name, value in response.getheaders():
            if name.lower() not in ("transfer-encoding", "connection", "server", "date", "content-length"):
                handler.send_header(name, value)
        length = response.getheader("Content-Length") if handler.command == "HEAD" else str(len(data))
        handler.send_header("Content-Length", length or "0")
        handler.end_headers()
        if fault == "truncated" and len(data) > 1:
            handler.wfile.write(data[: len(data) // 2])
            return _reset(handler)
        handler.wfile.write(data)
        return None

    def _forward(self, handler: BaseHTTPRequestHandler, body: bytes) -> tuple[HTTPResponse, bytes]:
        connection = HTTPConnection(*self.upstream)
        try:
            headers = {k: v for k, v in handler.headers.items() if k.lower() != "connection"}
            connection.request(handler.command, handler.path, body=body or None, headers=headers)
            response = connection.getresponse()
            return response, response.read()
        finally:
            connection.close()


def _reset(handler: BaseHTTPRequestHandler) -> None:
    """Drop the connection at once, without a proper end."""
    handler.wfile.flush()
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    handler.close_connection = True
    handler.connection.close()
