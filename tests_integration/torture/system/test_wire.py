"""The wire loses what it is told to lose, and nothing else."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator

import pytest

from tests_integration.fixtures.waiting import eventually
from tests_integration.torture.system.wire import Wire

PATIENCE = 5.0


class Echo:
    """A server that counts what it gets, and answers with it."""

    def __init__(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.got = b""
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def port(self) -> int:
        port: int = self.listener.getsockname()[1]
        return port

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                end, _ = self.listener.accept()
                threading.Thread(target=self._serve, args=[end], daemon=True).start()

    def _serve(self, end: socket.socket) -> None:
        with contextlib.suppress(OSError), end:
            while data := end.recv(1000):
                self.got += data
                end.sendall(data)


@pytest.fixture
def echo() -> Iterator[Echo]:
    server = Echo()
    yield server
    server.close()


@pytest.fixture
def wire(echo: Echo) -> Iterator[Wire]:
    made = Wire(echo.port)
    yield made
    made.close()
    eventually(lambda: made.links == 0)


def client_of(wire: Wire) -> socket.socket:
    return socket.create_connection(("127.0.0.1", wire.port), PATIENCE)


def says(client: socket.socket, said: bytes) -> bytes:
    client.sendall(said)
    return client.recv(1000)


def is_reset(client: socket.socket) -> bool:
    try:
        return client.recv(1000) == b""
    except ConnectionError:
        return True


def test_what_is_sent_arrives_and_what_is_answered_comes_back(wire: Wire) -> None:
    with client_of(wire) as client:
        assert says(client, b"one") == b"one"


def test_a_cut_ends_open_connections_and_new_ones_work(wire: Wire) -> None:
    with client_of(wire) as client:
        assert says(client, b"one") == b"one"
        assert wire.cut() == 1
        assert is_reset(client)
    with client_of(wire) as client:
        assert says(client, b"two") == b"two"


def test_a_lost_reply_was_done_by_the_server(wire: Wire, echo: Echo) -> None:
    with client_of(wire) as client:
        wire.lose_replies(1)
        client.sendall(b"done")
        assert is_reset(client)
        assert echo.got == b"done"
    with client_of(wire) as client:
        assert says(client, b"next") == b"next"


def test_a_stall_holds_bytes_back_and_delivers_them(wire: Wire, echo: Echo) -> None:
    with client_of(wire) as client:
        assert says(client, b"one") == b"one"
        wire.stall()
        client.sendall(b"two")
        client.settimeout(0.1)
        with pytest.raises(TimeoutError):
            client.recv(1000)
        assert echo.got == b"one"
        wire.heal()
        client.settimeout(PATIENCE)
        assert client.recv(1000) == b"two"


def test_a_black_hole_swallows_and_resets_what_it_damaged(wire: Wire, echo: Echo) -> None:
    with client_of(wire) as client, client_of(wire) as quiet:
        assert says(client, b"one") == b"one"
        assert says(quiet, b"two") == b"two"
        wire.black_hole()
        client.sendall(b"gone")
        client.settimeout(0.1)
        with pytest.raises(TimeoutError):
            client.recv(1000)
        wire.heal()
        client.settimeout(PATIENCE)
        assert is_reset(client)
        assert echo.got == b"onetwo"
        assert says(quiet, b"three") == b"three"


def test_a_dead_target_refuses_and_the_wire_lives_on(wire: Wire, echo: Echo) -> None:
    port = echo.port
    echo.close()
    with contextlib.suppress(ConnectionError), client_of(wire) as client:  # reset at once, or a moment later
        assert is_reset(client)
    with socket.create_server(("127.0.0.1", port)) as reborn:
        reborn.settimeout(PATIENCE)
        with client_of(wire) as client:
            end, _ = reborn.accept()
            with end:
                client.sendall(b"one")
                assert end.recv(1000) == b"one"
