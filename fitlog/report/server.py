"""The live page over HTTP: two addresses, `/` and `/events`, that only read."""

from __future__ import annotations

import contextlib
import errno
import ipaddress
import re
import socket
import socketserver
import sys
import threading
import urllib.parse
from collections.abc import Iterator
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final, cast

from fitlog.errors import SettingError
from fitlog.report.live import LiveFolder

_SECONDS: Final = 10.0  # after which a silent stream says that it is still there
_SECONDS_TO_END: Final = 0.1
_HOST: Final = re.compile(r"(?:\[(?P<six>[^\]]*)\]|(?P<name>[^:\[\]]*))(?::[0-9]*)?")


class LiveServer(ThreadingHTTPServer):
    """Serves a folder's page; nothing of the folder can be asked for by name.

    Requests must name the host that it listens at, a loopback address or `localhost`: a page from
    elsewhere whose name was turned to this address (DNS rebinding) is refused. Who listens at all
    addresses (0.0.0.0, ::) is called by names that cannot be known.

    Raises:
        SettingError: it cannot listen there.
    """

    daemon_threads = True
    allow_reuse_port = False  # a port in use is said to be so, whatever a Python's default is

    def __init__(self, host: str, port: int, folder: LiveFolder) -> None:
        self.folder, self.host = folder, host.strip("[]").lower()
        try:
            found = socket.getaddrinfo(self.host or None, port, type=socket.SOCK_STREAM)
            self.address_family, _, _, _, address = found[0]
            super().__init__(cast(tuple[str, int], address), _Handler)
        except (OSError, UnicodeError) as error:
            raise SettingError(_why_not(error, host, port)) from None
        self._address = str(self.server_address[0])

    @property
    def url(self) -> str:
        """Where a browser finds it."""
        host = self.host or self._address
        return f"http://{f'[{host}]' if ':' in host else host}:{self.server_address[1]}/"

    @contextlib.contextmanager
    def answering(self) -> Iterator[None]:
        """Requests are answered in here, by threads."""
        thread = threading.Thread(target=self.serve_forever, args=(_SECONDS_TO_END,), daemon=True)
        thread.start()
        try:
            yield
        finally:
            self.shutdown()

    def server_bind(self) -> None:
        """Without a question to the network for this machine's name, which nobody needs."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = self.host, self.server_address[1]

    def is_named(self, host: str) -> bool:
        """Whether a Host header names this server."""
        found = _HOST.fullmatch(host.lower())
        if found is None:
            return False
        name = found["six"] or found["name"] or ""
        if name in ("localhost", self.host, self._address):
            return True
        if ipaddress.ip_address(self._address).is_unspecified:
            return True
        try:
            return ipaddress.ip_address(name).is_loopback
        except ValueError:
            return False

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Who went away is no news."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)


def _why_not(error: Exception, host: str, port: int) -> str:
    """What kept a server from listening, and what would do instead."""
    remedies = {
        errno.EADDRINUSE: "--port 0 takes a free one",
        errno.EACCES: "ports from 1024 on are open to all",
    }
    code = error.errno if isinstance(error, OSError) else None
    remedy = remedies.get(code or 0, "--host takes an address or a name of this machine's own")
    reason = getattr(error, "strerror", "that is no name of a host")
    return f"cannot listen at {host}, port {port}: {reason}; {remedy}"


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
            page = self.server.folder.page(charts=query != "tables").encode("utf-8", "replace")
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
