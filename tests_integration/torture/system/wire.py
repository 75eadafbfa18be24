"""A TCP proxy that survives the death of its target and loses things in every way: cut, stall, swallow, drop replies."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Iterator

RESET = struct.pack("ii", 1, 0)  # SO_LINGER: close with RST, as a machine that has forgotten the connection
CONNECT_SECONDS = 5.0


class Wire:
    """Listens on 127.0.0.1 for as long as the run lasts.

    `stall`: bytes wait, and arrive after `heal`. `black_hole`: bytes vanish; after `heal` the connections that
    lost some are reset. `lose_replies(n)`: the next n answers are dropped, each with its connection, after the
    server has done the work. `cut`: open connections are reset, now.
    """

    def __init__(self, port: int) -> None:
        self._target = ("127.0.0.1", port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._links: set[_Link] = set()
        self._lock = threading.Lock()
        self._to_lose = 0
        self.open = threading.Event()
        self.open.set()
        self.healed = threading.Event()
        self.healed.set()
        threading.Thread(target=self._accept, name="wire", daemon=True).start()

    @property
    def port(self) -> int:
        port: int = self._listener.getsockname()[1]
        return port

    def stall(self) -> None:
        self.open.clear()

    @property
    def swallowing(self) -> bool:
        return not self.healed.is_set()

    @property
    def links(self) -> int:
        """How many connections are open."""
        return len(self._links)

    def black_hole(self) -> None:
        self.healed.clear()

    def lose_replies(self, number: int) -> None:
        with self._lock:
            self._to_lose += number

    def heal(self) -> None:
        """End a stall or a black hole, and forget replies that are still to be lost."""
        with self._lock:
            self._to_lose = 0
            damaged = [link for link in self._links if link.damaged]
        for link in damaged:
            link.reset()
        self.healed.set()
        self.open.set()

    def cut(self) -> int:
        """Reset every connection; return how many there were."""
        with self._lock:
            links = list(self._links)
        for link in links:
            link.reset()
        return len(links)

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # ends the accept that waits, and with it the port
        self._listener.close()
        self.heal()
        self.cut()

    def loses_this(self) -> bool:
        """Tell whether this answer is one of those to be lost, and count it."""
        with self._lock:
            if self._to_lose == 0:
                return False
            self._to_lose -= 1
            return True

    @property
    def still_to_lose(self) -> int:
        return self._to_lose

    def forget(self, link: _Link) -> None:
        with self._lock:
            self._links.discard(link)

    def _accept(self) -> None:
        with contextlib.suppress(OSError):  # the listener was closed
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._connect, args=[client], daemon=True).start()

    def _connect(self, client: socket.socket) -> None:
        try:
            server = socket.create_connection(self._target, CONNECT_SECONDS)
        except OSError:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            client.close()
            return
        server.settimeout(None)
        link = _Link(self, client, server)
        with self._lock:
            self._links.add(link)
        link.start()


class _Link:
    """One connection through the wire: a thread for each direction. The sockets are closed by the last of them,
    and by nobody else: a descriptor that is closed under a reader may belong to another link a moment later.
    """

    def __init__(self, wire: Wire, client: socket.socket, server: socket.socket) -> None:
        self._wire, self._client, self._server = wire, client, server
        self._lock = threading.Lock()
        self._ends = 2
        self.damaged = False

    def start(self) -> None:
        threading.Thread(target=self._carry, args=[self._client, self._server], daemon=True).start()
        threading.Thread(target=self._carry, args=[self._server, self._client], daemon=True).start()

    def reset(self) -> None:
        """Wake up both threads, which then close without a goodbye."""
        for end in (self._client, self._server):
            with contextlib.suppress(OSError):
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def _carry(self, source: socket.socket, to: socket.socket) -> None:
        with contextlib.suppress(OSError):
            for data in _chunks(source):
                if source is self._server and self._wire.loses_this():
                    break
                self._wire.open.wait()
                if self._wire.swallowing:
                    self.damaged = True
                if not self.damaged:
                    to.sendall(data)
        self._wire.open.wait()
        if self._wire.swallowing:
            self.damaged = True  # nobody hears of the close before the hole is healed
            self._wire.healed.wait()
        self.reset()
        with self._lock:
            self._ends -= 1
            if self._ends:
                return
        self._wire.forget(self)
        self._client.close()
        self._server.close()


def _chunks(end: socket.socket) -> Iterator[bytes]:
    while data := end.recv(65536):
        yield data
