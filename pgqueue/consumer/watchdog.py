"""The thread that tells the supervisor every second how it goes, and notices when there is none any more."""

from __future__ import annotations

import asyncio
import os
import select
import socket
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

from pgqueue.consumer.channel import Channel
from pgqueue.consumer.model import Clock
from pgqueue.consumer.record import map_cells
from pgqueue.consumer.report import Phase, Report, encode
from pgqueue.log import get_logger

log = get_logger("pgqueue.consumer")

LONGEST_INTERVAL = 1.0
STARTING_INTERVAL = 0.2
BEATS_PER_VT = 6
VARIABLE = "PGQUEUE_WORKER"  # set by the supervisor: the two inherited file descriptors
ABANDONED = 1  # exit code of a worker that outlived its supervisor and could not stop by itself


class Watchdog:
    """Beats from before the app is loaded until the process ends.

    It runs whenever any Python runs: a blocked loop and a busy handler are told, a silent worker is one whose
    interpreter is held by C code, or that is stopped.
    """

    def __init__(self, channel: Channel, cells: memoryview, now: Clock = time.monotonic) -> None:
        self.report = Report(cells, channel.send, now)
        self._channel, self._now = channel, now
        self._loop: asyncio.AbstractEventLoop | None = None
        self._drain: Callable[[], None] = _leave
        self._orphaned: Callable[[], None] = _leave
        self._patience = 0.0
        self._leave_at: float | None = None
        self._asked_at: float | None = None
        self._thread = threading.Thread(target=self._repeat, name="watchdog", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def serve(
        self,
        loop: asyncio.AbstractEventLoop,
        *,
        drain: Callable[[], None],
        orphaned: Callable[[], None],
        patience: float,
    ) -> None:
        """From now on call these on the loop: to drain, and when the supervisor is gone.

        In the second case the process is ended after `patience` seconds, whatever the loop does.
        """
        self._drain, self._orphaned, self._patience = drain, orphaned, patience
        self._loop = loop

    def _repeat(self) -> None:
        poll = select.poll()
        poll.register(self._channel, select.POLLIN)
        while True:
            try:
                self._send_beat()
            except Exception:  # a thread that ended here would have a sound worker killed as a silent one
                log.exception("beat.failed")
            # Often enough that a silent worker is missed before its leases lapse.
            starting = self.report.phase is Phase.STARTING
            longest = STARTING_INTERVAL if starting else LONGEST_INTERVAL
            interval = min(longest, self.report.shortest_vt / BEATS_PER_VT)
            if self._leave_at is not None:
                time.sleep(interval)
                if self._now() >= self._leave_at:
                    os._exit(ABANDONED)
            elif poll.poll(interval * 1000):
                self._listen()

    def _listen(self) -> None:
        if b'{"is":"drain"}' in self._channel.receive():
            self._call(self._drain)
        if not self._channel.open:
            log.warning("supervisor.lost")
            self._leave_at = self._now() + self._patience
            self._call(self._orphaned)

    def _send_beat(self) -> None:
        lag = 0.0
        if self._asked_at is not None:
            lag = self._now() - self._asked_at
        elif self._loop is not None:
            self._asked_at = self._now()
            self._call(self._answered)
        self._channel.send(encode("beat", self.report.beat(lag, resident_bytes())))

    def _answered(self) -> None:
        self._asked_at = None

    def _call(self, function: Callable[[], None]) -> None:
        if self._loop is None:
            function()
            return
        try:
            self._loop.call_soon_threadsafe(function)
        except RuntimeError:  # the loop has been closed: the process is about to end
            return


def inherited(environ: os._Environ[str]) -> Watchdog | None:
    """Return the watchdog of a process that a supervisor started, and forget that it did: children are none of ours."""
    given = environ.pop(VARIABLE, None)
    if given is None:
        return None
    channel, record = (int(number) for number in given.split(","))
    end = socket.socket(fileno=channel)
    os.set_inheritable(channel, False)  # noqa: FBT003 - the signature is Python's
    cells = map_cells(record)
    os.close(record)
    return Watchdog(Channel(end), cells)


def resident_bytes() -> int:
    """Return how much memory this process uses; 0 where the system doesn't tell."""
    try:
        pages = int(Path("/proc/self/statm").read_bytes().split()[1])
    except (OSError, ValueError, IndexError):
        return 0
    return pages * os.sysconf("SC_PAGESIZE")


def _leave() -> None:
    """End a process that holds nothing yet."""
    sys.stderr.flush()
    os._exit(ABANDONED)
