"""The live page over HTTP: two addresses, `/` and `/events`, that only read."""

from __future__ import annotations

import contextlib
import ipaddress
import urllib.parse
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

from fitlog.report.live import LiveFolder

_SECONDS: Final = 10.0  # after which a silent stream says that it is still there


class LiveServer(ThreadingHTTPServer):
    """Serves a folder's page; nothing of the folder can be asked for by name.

    Requests must name this host, an address of a machine's own, or `localhost`: a page from
    elsewhere whose name was turned to this address (DNS rebinding) is refused.
    """

    daemon_threads = True

    def __init__(self, address: tuple[str, int], folder: LiveFolder) -> None:
        super().__init__(address, _Handler)
        self.folder, self.host = folder, address[0]

    def is_named(self, host: str) -> bool:
        """Whether a Host header names this server."""
        name = urllib.parse.urlsplit(f"//{host}").hostname or ""
        if name in ("localhost", self.host.lower()):
            return True
        try:
            address = ipaddress.ip_address(name)
        except ValueError:
            return False
        return address.is_loopback or self.host in ("0.0.0.0", "::")  # noqa: S104  # if asked for

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Who went away is no news."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "fitlog"
    sys_version = ""
    server: LiveServer  # pyright: ignore[reportIncompatibleVariableOverride]

    def do_GET(self) -> None:
        path, _, query = self.path.partition("?")
        if not self.server.is_named(self.headers.get("Host", "")):
            self.send_error(HTTPStatus.MISDIRECTED_REQUEST, "not this host")
        elif path == "/":
            page = self.server.folder.page().encode("utf-8", "replace")
            self._begin("text/html; charset=utf-8", {"Content-Length": str(len(page))})
            self.wfile.write(page)
        elif path == "/events":
            with contextlib.suppress(OSError):  # the reader has gone
                self._events(query)
        else:
            self.send_error(HTTPStatus.NOT_FOUND)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # as it is called
        """Nothing is said of requests."""

    def _begin(self, kind: str, more: dict[str, str]) -> None:
        self.send_response(HTTPStatus.OK)
        headers = {
            "Content-Type": kind,
            "Cache-Control": "no-store",
            "X-Content-Type-Options": "nosniff",
            "X-Frame-Options": "DENY",
            "Cross-Origin-Resource-Policy": "same-origin",
            "Referrer-Policy": "no-referrer",
        }
        for name, value in {**headers, **more}.items():
            self.send_header(name, value)
        self.end_headers()

    def _events(self, query: str) -> None:
        asked = urllib.parse.parse_qs(query).get("since", [""])[0]
        since = self.headers.get("Last-Event-ID") or asked
        self.close_connection = True
        self._begin("text/event-stream", {"Connection": "close"})
        self.wfile.write(b"retry: 1000\n\n")
        while not self.server.folder.is_over:
            changes = self.server.folder.changes(since, _SECONDS)
            for since, data in changes:
                self.wfile.write(f"id: {since}\ndata: {data}\n\n".encode())
            if not changes:
                self.wfile.write(b": still here\n\n")
