"""CPU time and memory of processes, from outside."""

from __future__ import annotations

import os
from pathlib import Path

PROC = Path("/proc")
# Fields of user and system time, counted from the state: of the process, and of the children that it has reaped.
OWN, REAPED = (11, 12), (13, 14)


def seconds_of(pid: int) -> float:
    """User and system time of one process so far, without its children; 0 where /proc doesn't show it."""
    try:
        fields = _fields(pid)
    except OSError:
        return 0.0
    return sum(int(fields[place]) for place in OWN) / os.sysconf("SC_CLK_TCK")


def resident_bytes(pid: int) -> int:
    """Memory that a process and all its descendants hold now; what they share counts for each. 0 once it is gone."""
    below: dict[int, list[int]] = {}
    held: dict[int, int] = {}
    for each in (int(entry.name) for entry in PROC.iterdir() if entry.name.isdecimal()):
        try:
            below.setdefault(int(_fields(each)[1]), []).append(each)
            held[each] = int((PROC / str(each) / "statm").read_text().split()[1])
        except (OSError, IndexError):
            continue
    family, pages = [pid], 0
    while family:
        member = family.pop()
        pages += held.get(member, 0)
        family += below.get(member, [])
    return pages * os.sysconf("SC_PAGE_SIZE")


class ServerCpu:
    """All processes of one server on this machine: those of Postgres, or of Redis.

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
            fields = _fields(self._postmaster)
            ticks = sum(before.values()) + sum(int(fields[place]) for place in (*OWN, *REAPED))
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
                found[pid] = sum(int(fields[place]) for place in OWN)
        return found


def _fields(pid: int) -> list[str]:
    # The name stands in parentheses and may hold spaces; state is field 0 after it, parent 1.
    return (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
