"""File locks. The kernel drops them when the last holder dies, however it dies.

Lock order: start lock, then lease. Nobody waits for the start lock while holding the lease exclusively.
A descriptor is only ever closed, never unlocked: a forked child shares it, and an unlock would hit both.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pgqueue.errors import Unavailable

LISTING = Path("/proc/locks")
POLL_SECONDS = 0.02
START_LOCK_SECONDS = 150.0


def open_lock(path: Path) -> int:
    """Open a lock file, made where missing. The caller closes the descriptor; children don't inherit it."""
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)


def try_exclusive(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def wait_exclusive(descriptor: int) -> None:
    fcntl.flock(descriptor, fcntl.LOCK_EX)


def wait_shared(descriptor: int) -> None:
    fcntl.flock(descriptor, fcntl.LOCK_SH)


@contextmanager
def start_lock(path: Path, *, seconds: float = START_LOCK_SECONDS) -> Iterator[None]:
    """Hold the lock that serialises initdb, start and stop of a cluster. Unavailable after `seconds`."""
    descriptor = open_lock(path)
    try:
        deadline = time.monotonic() + seconds
        while not try_exclusive(descriptor):
            if time.monotonic() > deadline:
                raise Unavailable(
                    f"another process has been starting or stopping the embedded Postgres for {seconds:g} s",
                    cure=f"See {path.with_name('server.log')}.",
                )
            time.sleep(POLL_SECONDS)
        yield
    finally:
        os.close(descriptor)


def count_holders(path: Path) -> int:
    """How many hold a lock on the file. Where the kernel doesn't list them: 0, or 1 for "at least one"."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return 0
    lines = LISTING.read_text(encoding="ascii").splitlines() if LISTING.exists() else []
    target = f"{os.major(found.st_dev):02x}:{os.minor(found.st_dev):02x}:{found.st_ino}"
    held = (line.split() for line in lines if "->" not in line)
    # Stacked file systems list another device than stat shows: then only the probe sees the lock.
    return sum(1 for words in held if words[1] == "FLOCK" and words[5] == target) or _probe(path)


def _probe(path: Path) -> int:
    descriptor = open_lock(path)
    try:
        return 0 if try_exclusive(descriptor) else 1
    finally:
        os.close(descriptor)
