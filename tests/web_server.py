"""A web server on this machine over files that a test changes: with or without an ETag, refusing, or gone."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from email.utils import formatdate
from hashlib import md5
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote


@dataclass
class Web:
    """Files by path, and how the server behaves."""

    url: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    times: dict[str, float] = field(default_factory=dict)
    etags: bool = True
    status: dict[str, int] = field(default_factory=dict)
    """Path -> what it answers in place of the file."""
    asked: list[tuple[str, str]] = field(default_factory=list)
    """(method, path) of every request."""


@contextlib.contextmanager
def web_server() -> Iterator[Web]:
    """A server on a free port of this machine."""
    web = Web()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_HEAD(self) -> None:
            self._answer(False)

        def do_GET(self) -> None:
            self._answer(True)

        def _answer(self, body: bool) -> None:
            path = unquote(self.path)
            web.asked.append((self.command, path))
            data = web.files.get(path)
            status = web.status.get(path, 200 if data is not None else 404)
            start, end = 0, len(data or b"")
            if status == 200 and (span := self.headers.get("Range")):
                first, _, last = span.removeprefix("bytes=").partition("-")
                start, end, status = int(first), min(int(last) + 1, end), 206
                self.send_response(status)
                self.send_header("Content-Range", f"bytes {start}-{end - 1}/{len(data or b'')}")
            else:
                self.send_response(status)
            found = (data or b"")[start:end] if status in (200, 206) else b""
            self.send_header("Content-Length", str(len(found)))
            if status in (200, 206):
                self.send_header("Last-Modified", formatdate(web.times.get(path, 1.7e9), usegmt=True))
                if web.etags:
                    self.send_header("ETag", f'"{md5(data or b"").hexdigest()}"')
            self.end_headers()
            if body:
                self.wfile.write(found)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    web.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield web
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
