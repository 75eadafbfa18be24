"""Children that we never started: PID 1 of a container, like any subreaper, inherits the orphans of its handlers."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Collection

INIT = 1
_PR_GET_CHILD_SUBREAPER = 37


def adopts_orphans() -> bool:
    """Tell whether orphaned processes become children of this one."""
    if os.getpid() == INIT:
        return True
    adopts = ctypes.c_int(0)
    try:
        failed = ctypes.CDLL(None).prctl(_PR_GET_CHILD_SUBREAPER, ctypes.byref(adopts), 0, 0, 0)
    except AttributeError:  # not Linux
        return False
    return not failed and bool(adopts.value)


def reap_adopted(ours: Collection[int]) -> list[int]:
    """Collect every dead child but `ours`, whose exit codes somebody waits for; return their pids."""
    reaped: list[int] = []
    while True:
        try:
            # Looked at before it is collected: one of ours ends the round, and the next one comes after its burial.
            dead = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            if dead is None or dead.si_pid in ours:
                return reaped
            os.waitpid(dead.si_pid, os.WNOHANG)
        except ChildProcessError:
            return reaped
        reaped.append(dead.si_pid)
