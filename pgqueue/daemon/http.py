"""The port for probes and scrapes: a thread for each connection, bounded in number and in patience."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from typing import Any

from pgqueue.daemon.health import TEXT, Answer
from pgqueue.log import get_logger

log = get_logger("pgqueue.daemon")

MOST_CONNECTIONS = 32  # one more ends the oldest: clients that stay silent must not keep a probe out
PATIENCE = 5.0
_LOOK = 0.1


class HealthServer:
    """Serves from its making until `close`. Raises: OSError when the port can't be bound."""

    def __init__(self, host: str, port: int, answer: Callable[[str], Answer]) -> None:
        self._server = _Server(host, port, answer)
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(_LOOK,), name="health", daemon=True
        )
        self._thread.start()

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    @property
    def is_local(self) -> bool:
        """Tell whether only this host reaches it."""
        return ip_address(str(self._server.server_address[0])).is_loopback

    def close(self) -> None:
        """End it; connections that are open may still be answered."""
        self._server.shutdown()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 64

    def __init__(self, host: str, port: int, answer: Callable[[str], Answer]) -> None:
        self.answer = answer
        self._open: dict[Any, None] = {}  # in the order of their coming
        self._lock = threading.Lock()
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        super().__init__((host, port), _Handler)

    def server_bind(self) -> None:
        """Bind without the look-up of our own name that http.server does: it can hang where DNS does."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._lock:
            self._open[request] = None
            oldest = next(iter(self._open)) if len(self._open) > MOST_CONNECTIONS else None
        if oldest is not None:
            with contextlib.suppress(OSError):
                oldest.shutdown(socket.SHUT_RDWR)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        with self._lock:
            self._open.pop(request, None)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore what a client does to its connection."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    timeout = PATIENCE
    server_version = "pgqueue"
    sys_version = ""

    def do_GET(self) -> None:
        self._reply(with_body=True)

    def do_HEAD(self) -> None:
        self._reply(with_body=False)

    def log_message(self, *_: object) -> None:
        """Probes come every few seconds: no line for each."""

    def _reply(self, *, with_body: bool) -> None:
        try:
            answer = self.server.answer(self.path)
        except Exception:  # whatever is wrong with one answer, the next probe is to be answered
            log.exception("health.failed", path=self.path[:100])
            answer = Answer(500, TEXT, b"This is a fault of pgqueue; the log has it.\n")
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.kind)
        self.send_header("Content-Length", str(len(answer.body)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        if with_body:
            self.wfile.write(answer.body)
