"""One worker process, as its supervisor holds it."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence

from pgqueue.consumer.channel import Channel
from pgqueue.consumer.model import Clock
from pgqueue.consumer.record import SIZE, Row, map_cells, read_handled, read_rows
from pgqueue.consumer.report import Beat, Phase, PlanLine, decode, encode
from pgqueue.consumer.watchdog import VARIABLE
from pgqueue.daemon.model import Leaving, WorkerView

# A worker is not the process that a service manager waits for.
_NOT_INHERITED = ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID")


class Worker:
    """A process started by exec of the same command, with one end of a socket pair and the memory of its record.

    It is the leader of a process group of its own: a Ctrl-C of the terminal reaches the supervisor alone, and a kill
    reaches what its handlers have started. What it says arrives by `receive`; what it holds is read from `rows`,
    also when it is dead.
    """

    def __init__(
        self, number: int, command: Sequence[str], environ: Mapping[str, str], now: Clock = time.monotonic
    ) -> None:
        self.number, self._now = number, now
        self.started_at = self.heard_at = now()
        self.beat = Beat()
        self.plans: dict[int, PlanLine] = {}
        self.renewed: dict[Row, float] = {}
        self.leaving: Leaving | None = None
        self.kill_at: float | None = None
        self.killed = False
        self.was_silent = self.was_blocked = False
        ours, theirs = socket.socketpair()
        record = _open_memory()
        try:
            self._cells = map_cells(record)
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                env=_environ(environ) | {VARIABLE: f"{theirs.fileno()},{record}"},
                pass_fds=(theirs.fileno(), record),
                process_group=0,
            )
        finally:
            theirs.close()
            os.close(record)
        self.channel = Channel(ours)
        self._loop: asyncio.AbstractEventLoop | None = None

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def uptime(self) -> float:
        return self._now() - self.started_at

    @property
    def handled(self) -> int:
        """How many handlers have ended in it."""
        return read_handled(self._cells)

    def listen(self, loop: asyncio.AbstractEventLoop) -> None:
        """Take in what it says whenever it says something."""
        self._loop = loop
        loop.add_reader(self.channel.fileno(), self._hear)

    def receive(self) -> None:
        """Take in what it has said."""
        for line in self.channel.receive():
            match decode(line):
                case Beat() as beat:
                    self.beat, self.heard_at = beat, self._now()
                case PlanLine() as plan:
                    self.plans[plan.number] = plan

    def rows(self) -> list[Row]:
        """Read what it holds."""
        return read_rows(self._cells)

    def view(self) -> WorkerView:
        """Say how it is now."""
        return WorkerView(
            number=self.number,
            pid=self.pid,
            uptime=self.uptime,
            silent_for=self._now() - self.heard_at,
            beat=self.beat,
            plans=self.plans.copy(),
            rows=self.rows(),
            handled=self.handled,
            leaving=self.leaving,
        )

    def drain(self) -> None:
        """Ask it to claim nothing more, to finish what runs, and to end."""
        self.channel.send(encode("drain"))

    def stop(self, number: signal.Signals) -> None:
        """Pass a signal on. Before it handles signals it holds nothing, and ends."""
        self._signal(signal.SIGTERM if self.beat.phase is Phase.STARTING else number)

    def kill(self) -> None:
        """End it now, with all that its handlers started in its group."""
        self.killed = True
        self._kill_group()

    def poll(self) -> int | None:
        """Return the exit code when it has ended, negative for a signal."""
        return self.process.poll()

    def bury(self) -> None:
        """Take its last words. What its handlers left in its group dies with it, unless it ended in good order."""
        self.receive()
        self._deafen()
        self.channel.close()
        if self.process.returncode:
            self._kill_group()

    def _hear(self) -> None:
        self.receive()
        if not self.channel.open:  # it is about to end
            self._deafen()

    def _deafen(self) -> None:
        if self._loop is not None:
            self._loop.remove_reader(self.channel.fileno())

    def _kill_group(self) -> None:
        try:
            os.killpg(self.pid, signal.SIGKILL)
        except ProcessLookupError:
            return
        except PermissionError:  # a process of the group has changed its user
            self._signal(signal.SIGKILL)

    def _signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)


def _open_memory() -> int:
    """Open memory that has no name, so that nothing is left of it when both processes are gone."""
    if hasattr(os, "memfd_create"):
        record = os.memfd_create("pgqueue-record")
    else:
        with tempfile.TemporaryFile() as file:
            record = os.dup(file.fileno())
    os.ftruncate(record, SIZE)
    return record


def _environ(environ: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in environ.items() if name not in _NOT_INHERITED}
