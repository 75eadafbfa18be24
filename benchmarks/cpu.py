"""CPU time of a Postgres server, from outside."""

from __future__ import annotations

import os
from pathlib import Path

PROC = Path("/proc")


class ServerCpu:
    """All processes of one server on this machine.

    A backend that has ended is in its parent's account of children, so nothing is lost between two readings.
    """

    def __init__(self, postmaster: int) -> None:
        self._postmaster = postmaster
        self._ticks = os.sysconf("SC_CLK_TCK")

    @classmethod
    def of_backend(cls, pid: int) -> ServerCpu | None:
        """The server of this backend; none where /proc doesn't show it (another system, another machine)."""
        try:
            if not (PROC / str(pid) / "cmdline").read_bytes().startswith(b"postgres:"):
                return None
            return cls(int(_fields(pid)[1]))
        except (OSError, IndexError):
            return None

    def seconds(self) -> float:
        """User and system time so far."""
        while True:
            before = self._children()
            ticks = sum(before.values()) + sum(
                int(_fields(self._postmaster)[place]) for place in (11, 12, 13, 14)
            )
            # A backend that was reaped in between would be in both accounts or in none.
            if self._children().keys() == before.keys():
                return ticks / self._ticks

    def _children(self) -> dict[int, int]:
        found = {}
        for pid in (int(entry.name) for entry in PROC.iterdir() if entry.name.isdecimal()):
            try:
                fields = _fields(pid)
            except OSError:
                continue
            if int(fields[1]) == self._postmaster:
                found[pid] = int(fields[11]) + int(fields[12])
        return found


def _fields(pid: int) -> list[str]:
    # The name stands in parentheses and may hold spaces; state is field 0 after it, parent 1, times 11 to 14.
    return (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
