"""`pgqueue consume` as an operator sees it: signals, exit code, health, systemd; the work is done by its workers."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from pgqueue.consumer.awaiting import wait_for
from pgqueue.consumer.model import Clock, RenewalRunner
from pgqueue.daemon import health, rules
from pgqueue.daemon.fleet import Fleet
from pgqueue.daemon.http import HealthServer
from pgqueue.daemon.model import FleetSettings, FleetView
from pgqueue.daemon.notify import Notify
from pgqueue.daemon.reaping import adopts_orphans, reap_adopted
from pgqueue.daemon.settlement import Settler
from pgqueue.daemon.worker import Worker
from pgqueue.log import get_logger

log = get_logger("pgqueue.daemon")

LAST_SETTLEMENT_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Codes:
    """Exit codes: what a worker says that a new one would say again, and the end of a fleet that can't be kept alive.

    `refusals` count until a worker has consumed, `final` at any time.
    """

    refusals: frozenset[int]
    final: frozenset[int]
    crashing: int


class Supervisor:
    """Runs a fleet until a signal comes, or until it is pointless. Made and run in one event loop.

    `command` starts a worker; `open_runner` opens what settles for dead ones, and is called only when one died.
    """

    def __init__(
        self,
        settings: FleetSettings,
        command: Sequence[str],
        environ: Mapping[str, str],
        open_runner: Callable[[], RenewalRunner],
        codes: Codes,
        *,
        now: Clock = time.monotonic,
    ) -> None:
        self._settings, self._command, self._environ = settings, list(command), dict(environ)
        self._codes, self._now = codes, now
        self._loop = asyncio.get_running_loop()
        self._wake = asyncio.Event()
        self._settler = Settler(open_runner, now=now)
        self._fleet = Fleet(
            settings, self._start, self._settler, refusals=codes.refusals, final=codes.final, now=now
        )
        self._view = FleetView(now())
        self._notify = Notify(environ)
        self._adopts = adopts_orphans()
        self._signal: signal.Signals | None = None
        self._ending: int | None = None  # decided before the last worker has ended

    async def run(self) -> int:
        """Return the exit code once no worker is left."""
        for number in (signal.SIGTERM, signal.SIGINT):
            self._loop.add_signal_handler(number, self._request_stop, number)
        self._loop.add_signal_handler(signal.SIGCHLD, self._wake.set)
        server = self._open_server()
        log.info(
            "supervisor.started",
            processes=self._settings.processes,
            pid=os.getpid(),
            grace=self._settings.grace,
        )
        try:
            while (code := self._look()) is None:
                plans = [plan for worker in self._fleet.workers for plan in worker.plans.values()]
                await wait_for(self._wake, rules.tick(plans))
                self._wake.clear()
            if self._fleet.tasks:
                await asyncio.wait(self._fleet.tasks, timeout=LAST_SETTLEMENT_SECONDS)
        finally:
            if server is not None:
                server.close()
            self._settler.close()
        log.info("supervisor.stopped", exit_code=code)
        return code

    def _look(self) -> int | None:
        """Look after everything; return the exit code when all is over."""
        self._fleet.look()
        if self._adopts and not self._fleet.tasks:  # a task may wait for a child of its own
            reap_adopted([worker.pid for worker in self._fleet.workers])
        self._view = self._fleet.view()
        self._tell_systemd()
        if self._ending is None and self._fleet.refused is not None:
            self._end_with(self._fleet.refused)
        elif self._ending is None and rules.gives_up(place.crashes for place in self._fleet.places):
            log.error("supervisor.gave_up", crashes=rules.MOST_CRASHES)
            self._end_with(self._codes.crashing)
        if self._fleet.workers or not self._fleet.stopping:
            return None
        if self._ending is not None:
            return self._ending
        return rules.exit_code(
            self._fleet.codes, signal_number=self._signal, killed=self._fleet.killed_at_stop
        )

    def _start(self, number: int) -> Worker:
        worker = Worker(number, self._command, self._environ, self._now)
        worker.listen(self._loop)
        log.info("worker.started", worker=number, pid=worker.pid)
        return worker

    def _request_stop(self, number: signal.Signals) -> None:
        log.info("stop.requested", signal=number.name)
        self._notify.stopping()
        # A fleet that ends by itself has told its workers: told again they would hurry, and nobody has asked twice.
        if self._ending is None or self._signal is not None:
            self._fleet.stop(number)
        self._signal = number
        self._wake.set()

    def _end_with(self, code: int) -> None:
        self._ending = code
        self._fleet.stop(signal.SIGTERM)

    def _tell_systemd(self) -> None:
        if not rules.problems_of_readiness(self._view):
            self._notify.ready()
        now = self._now()
        if not rules.problems_of_life(self._view, now):
            self._notify.alive(now)

    def _open_server(self) -> HealthServer | None:
        if self._settings.port is None:
            return None
        try:
            server = HealthServer(
                self._settings.host,
                self._settings.port,
                lambda path: health.answer(path, self._view, self._now()),
            )
        except OSError as error:
            self._say_unavailable(error)
            return None
        if server.is_local:
            log.info("health.opened", host=self._settings.host, port=server.port)
        else:  # nothing guards it
            log.warning("health.opened", host=self._settings.host, port=server.port)
        return server

    def _say_unavailable(self, error: OSError) -> None:
        log.error("health.unavailable", host=self._settings.host, port=self._settings.port, error=str(error))
