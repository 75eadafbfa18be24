"""The messages of the Postgres protocol in the bytes that a client sends."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

SSL_REQUEST, GSS_REQUEST = 80877103, 80877104
NAMES = {
    "P": "parse",
    "B": "bind",
    "D": "describe",
    "E": "execute",
    "S": "sync",
    "Q": "query",
    "p": "password",
    "X": "terminate",
}
# The server says nothing to the others until it is asked to by one of these.
ANSWERED = frozenset({"request", "startup", "password", "sync", "query"})


class ClientMessages:
    """Splits the stream of one connection. The messages before the startup's answer have no type byte."""

    def __init__(self) -> None:
        self._rest = b""
        self._started = False

    def feed(self, data: bytes) -> Iterator[tuple[str, bytes]]:
        """Give (name, bytes) of each message that is complete by now."""
        self._rest += data
        while (found := self._next()) is not None:
            yield found

    def _next(self) -> tuple[str, bytes] | None:
        head = 1 if self._started else 0
        if len(self._rest) < head + 4:
            return None
        length = head + int.from_bytes(self._rest[head : head + 4])
        if len(self._rest) < length:
            return None
        message, self._rest = self._rest[:length], self._rest[length:]
        if self._started:
            return NAMES.get(chr(message[0]), chr(message[0])), message
        is_request = int.from_bytes(message[4:8]) in (SSL_REQUEST, GSS_REQUEST)
        self._started = not is_request
        return ("request" if is_request else "startup"), message


@dataclass(slots=True)
class WireCut:
    """Counts the messages of all links that are made while it is in force, and cuts at the `at`-th of them.

    `after` False: the message doesn't reach the server. True: it does, and what the server answers is dropped.
    `step` is set by the test: what the client is doing. Without `at` it only counts.
    """

    at: int | None = None
    after: bool = False
    step: str = ""
    passed: list[tuple[str, str]] = field(
        default_factory=list
    )  # (step, message) in the order of their coming
    met: tuple[str, str] | None = None

    def meets(self, name: str) -> bool:
        """Note a message; tell whether the cut is due at it."""
        if name == "terminate" or self.met is not None:
            return False
        self.passed.append((self.step, name))
        if len(self.passed) != self.at:
            return False
        self.met = (self.step, name)
        return True
