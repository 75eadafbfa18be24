"""The detached process that stops the shared server when nobody uses it any more.

It blocks on the exclusive lock of the lease file. When it gets it, no holder lives: it lets go, waits the
idle grace, and stops the server unless somebody came, or clients without a lease (psql, a pooler) are
connected.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

from pgqueue.db.embedded.cluster import Cluster
from pgqueue.db.embedded.locks import open_lock, start_lock, try_exclusive, wait_exclusive
from pgqueue.db.embedded.places import Home
from pgqueue.db.embedded.postmaster import read_postmaster
from pgqueue.errors import Unavailable

POLL_SECONDS = 0.1


def main(arguments: list[str]) -> None:
    """Run for one home until its server is stopped, kept or dead. The descriptor is the reaper's own lock."""
    path, descriptor, seconds = arguments
    if not Path(path).is_dir():
        return
    cluster = Cluster(Path(path))
    done = False
    while not done:
        try:
            done = _watch(cluster, int(descriptor), float(seconds))
        except FileNotFoundError:
            # The directory was removed under the server, which stops by itself when it misses its pid file.
            return
        except Unavailable as error:
            print(error, file=sys.stderr, flush=True)  # noqa: T201 - the server's log
        # Clients without a lease leave no lock to wait for.
        time.sleep(POLL_SECONDS)


def _watch(cluster: Cluster, own_lock: int, seconds: float) -> bool:
    """One round: wait for idleness, and end it or go on watching. True when the work is done."""
    home = cluster.home
    _wait_no_holder(home)
    last_taken = home.lease.stat().st_mtime_ns
    _wait_grace(home, seconds)
    with start_lock(home.start_lock):
        # Lock order: start lock, then lease. Who joins now waits for the start lock until this is over.
        if not home.keep.exists():
            if home.lease.stat().st_mtime_ns != last_taken or _held(home) or _clients(home):
                return False
            cluster.stop_locked()
        # Let go under the start lock, so that the next one who joins starts a new reaper.
        os.close(own_lock)
        return True


def _wait_no_holder(home: Home) -> None:
    descriptor = os.open(home.lease, os.O_RDWR | os.O_CLOEXEC)
    try:
        wait_exclusive(descriptor)
    finally:
        os.close(descriptor)


def _wait_grace(home: Home, seconds: float) -> None:
    """Wait that long, or until the server is dead: then there is nothing to wait for."""
    deadline = time.monotonic() + seconds
    while True:
        server = read_postmaster(home.data)
        left = deadline - time.monotonic()
        if left <= 0 or server is None or not server.alive():
            return
        time.sleep(min(left, POLL_SECONDS))


def _held(home: Home) -> bool:
    descriptor = open_lock(home.lease)
    try:
        return not try_exclusive(descriptor)
    finally:
        os.close(descriptor)


def _clients(home: Home) -> int:
    server = read_postmaster(home.data)
    return server.clients() if server is not None and server.alive() else 0
