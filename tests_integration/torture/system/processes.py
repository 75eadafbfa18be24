"""Processes, as /proc shows them."""

from __future__ import annotations

import os
from pathlib import Path

PROC = Path("/proc")


def children(pid: int) -> list[int]:
    """Return the living children of a process, by pid."""
    return sorted(one for one in _pids() if _parent(one) == pid)


def with_token(token: str) -> list[int]:
    """Return the living processes whose environment holds `NAME=value`, this one left out."""
    wanted = token.encode()
    found = []
    for pid in _pids():
        try:
            variables = (PROC / str(pid) / "environ").read_bytes().split(b"\0")
        except OSError:
            continue
        if wanted in variables and pid != os.getpid() and _parent(pid) is not None:
            found.append(pid)
    return found


def is_alive(pid: int) -> bool:
    """Tell whether a process runs; one that only waits to be collected doesn't."""
    return _parent(pid) is not None


def is_stopped(pid: int) -> bool:
    """Tell whether a SIGSTOP holds a process."""
    return _state(pid)[0] == "T"


def _pids() -> list[int]:
    return [int(entry.name) for entry in PROC.iterdir() if entry.name.isdecimal()]


def _parent(pid: int) -> int | None:
    """Return the parent's pid, or None for a process that is dead or a zombie."""
    state, parent = _state(pid)
    return None if state in {"", "Z", "X"} else parent


def _state(pid: int) -> tuple[str, int]:
    """Return the letter of the state and the parent's pid; no letter for a process that is gone."""
    try:
        # The name stands in parentheses and may hold some itself; state and parent come after the last one.
        state, parent, *_ = (PROC / str(pid) / "stat").read_text(errors="replace").rpartition(")")[2].split()
    except (OSError, ValueError):
        return "", 0
    return state, int(parent)
