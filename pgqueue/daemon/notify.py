"""Tells systemd how it goes: the datagrams of sd_notify(3), to the socket that NOTIFY_SOCKET names."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping

MICROSECONDS = 1_000_000


class Notify:
    """Sends states; without a NOTIFY_SOCKET, or with one that nobody reads, it does nothing."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        address = environ.get("NOTIFY_SOCKET", "")
        self._address = "\0" + address[1:] if address.startswith("@") else address
        self._said: set[str] = set()
        self.watchdog_every = _watchdog_every(environ) if self._address else None
        self._next_at = 0.0

    def ready(self) -> None:
        """Say once that messages are handled."""
        self._once("READY=1")

    def stopping(self) -> None:
        """Say once that the end has begun."""
        self._once("STOPPING=1")

    def alive(self, now: float) -> None:
        """Keep systemd from restarting us; call it only while all is well."""
        if self.watchdog_every is not None and now >= self._next_at:
            self._next_at = now + self.watchdog_every
            self._send("WATCHDOG=1")

    def _once(self, state: str) -> None:
        if state not in self._said:
            self._said.add(state)
            self._send(state)

    def _send(self, state: str) -> None:
        if not self._address:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
                sender.sendto(state.encode(), socket.MSG_DONTWAIT, self._address)
        except OSError:
            return  # nobody listens: that is the service manager's affair


def _watchdog_every(environ: Mapping[str, str]) -> float | None:
    """Return half of the interval that systemd asks for, in seconds, if it asks this process."""
    wanted, asked = environ.get("WATCHDOG_USEC", ""), environ.get("WATCHDOG_PID", "")
    if not wanted.isdigit() or (asked and asked != str(os.getpid())):
        return None
    return int(wanted) / MICROSECONDS / 2
