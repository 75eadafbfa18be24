"""A TCP proxy in front of Postgres that can lose things: cut, swallow, or drop the reply of the next statement."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Self

from psycopg.conninfo import conninfo_to_dict, make_conninfo


class FaultProxy:
    """Listens on 127.0.0.1. Every fault holds for all links, also later ones, until `heal`.

    `black_hole`: nothing passes any more in either direction, and nothing is closed. `lose_replies`: the
    client's bytes pass; the server's answer to them is dropped, and the client is cut off in its place.
    `cut`: both sides of the open links are closed, once.
    """

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._links: list[_Link] = []
        self.swallowing = threading.Event()
        self.losing_replies = threading.Event()
        self.swallowed = 0  # bytes of clients that a black hole has taken
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def port(self) -> int:
        port: int = self._listener.getsockname()[1]
        return port

    @property
    def links(self) -> int:
        """How many connections have been made through the proxy so far."""
        return len(self._links)

    def conninfo(self, through: str) -> str:
        """Return the same connection string, led through the proxy."""
        return make_conninfo(
            through, host="127.0.0.1", hostaddr="127.0.0.1", port=self.port, sslmode="disable"
        )

    def black_hole(self) -> None:
        self.swallowing.set()

    def lose_replies(self) -> None:
        self.losing_replies.set()

    def heal(self) -> None:
        self.swallowing.clear()
        self.losing_replies.clear()

    def cut(self) -> None:
        for link in self._links:
            link.close()

    def close(self) -> None:
        self._listener.close()
        self.heal()
        self.cut()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                self._links.append(_Link(self, client, socket.create_connection(self._target)))


class _Link:
    def __init__(self, proxy: FaultProxy, client: socket.socket, server: socket.socket) -> None:
        self._proxy, self._client, self._server = proxy, client, server
        threading.Thread(target=self._to_server, daemon=True).start()
        threading.Thread(target=self._to_client, daemon=True).start()

    def close(self) -> None:
        for end in (self._client, self._server):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()

    def _to_server(self) -> None:
        with suppress(OSError):
            for data in _chunks(self._client):
                if self._proxy.swallowing.is_set():
                    self._proxy.swallowed += len(data)
                else:
                    self._server.sendall(data)
        self._end()

    def _to_client(self) -> None:
        with suppress(OSError):
            for data in _chunks(self._server):
                if self._proxy.losing_replies.is_set():
                    # The server has done its work by the time it answers.
                    self._proxy.losing_replies.clear()
                    break
                if not self._proxy.swallowing.is_set():
                    self._client.sendall(data)
        self._end()

    def _end(self) -> None:
        if not self._proxy.swallowing.is_set():
            self.close()


def _chunks(end: socket.socket) -> Iterator[bytes]:
    while data := end.recv(65536):
        yield data


@contextmanager
def fault_proxy(conninfo: str) -> Iterator[FaultProxy]:
    """Open a proxy in front of the server that a TCP connection string names."""
    target = conninfo_to_dict(conninfo)
    with FaultProxy(str(target.get("hostaddr") or target["host"]), int(str(target["port"]))) as proxy:
        yield proxy
