"""A TCP proxy in front of Postgres that can lose things: cut, swallow, or drop the reply of the next statement."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Self

from psycopg.conninfo import conninfo_to_dict, make_conninfo

from tests_integration.db.client_messages import ANSWERED, ClientMessages, WireCut


class FaultProxy:
    """Listens on 127.0.0.1. Every fault holds for all links, also later ones, until `heal`.

    `black_hole`: nothing passes any more in either direction, and nothing is closed. `lose_replies`: the
    client's bytes pass; the server's answer to them is dropped, and the client is cut off in its place.
    `cut`: both sides of the open links are closed, once. `wire_cut` holds for the links that are made while it
    is set: one of them is cut at a certain message of its client.
    """

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._links: list[_Link] = []
        self.swallowing = threading.Event()
        self.losing_replies = threading.Event()
        self.swallowed = 0  # bytes of clients that a black hole has taken
        self.refused = 0  # connections for which there was no server
        self.wire_cut: WireCut | None = None
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
        for link in self._links:
            link.end_if_over()

    def cut(self) -> None:
        for link in self._links:
            link.close()

    def close(self) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # or the thread would wait in accept for ever
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
                try:
                    server = socket.create_connection(self._target)
                except OSError:  # nobody listens there now; later somebody may
                    client.close()
                    self.refused += 1
                    continue
                for end in (client, server):
                    end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                link = _Link(self, client, server)
                self._links.append(link)  # counted before anything can happen to it
                link.start()


class _Link:
    def __init__(self, proxy: FaultProxy, client: socket.socket, server: socket.socket) -> None:
        self._proxy, self._client, self._server = proxy, client, server
        self._messages = ClientMessages()
        self._wire_cut = proxy.wire_cut
        self._drops_answer = False
        self._is_over = False

    def start(self) -> None:
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
                elif self._wire_cut is None:
                    self._server.sendall(data)
                elif not self._forward(data, self._wire_cut):
                    break
        if not self._drops_answer:
            self._end()

    def _forward(self, data: bytes, cut: WireCut) -> bool:
        """Send what comes before the cut, or with it; tell whether to go on."""
        passing = b""
        goes_on = True
        for name, message in self._messages.feed(data):
            goes_on = not cut.meets(name)
            if goes_on or cut.after:
                passing += message
            if not goes_on:
                # The server has done its work when it answers: only then the client loses its connection.
                self._drops_answer = cut.after and name in ANSWERED
                break
        if passing:
            self._server.sendall(passing)
        return goes_on

    def _to_client(self) -> None:
        with suppress(OSError):
            for data in _chunks(self._server):
                if self._drops_answer:
                    break
                if self._proxy.losing_replies.is_set():
                    # The server has done its work by the time it answers.
                    self._proxy.losing_replies.clear()
                    break
                if not self._proxy.swallowing.is_set():
                    self._client.sendall(data)
        self._end()

    def _end(self) -> None:
        self._is_over = True
        self.end_if_over()

    def end_if_over(self) -> None:
        """Close both sides when one has gone; in a black hole the other one doesn't learn of it."""
        if self._is_over and not self._proxy.swallowing.is_set():
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
