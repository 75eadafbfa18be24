"""The worker processes: starts them, watches them, replaces them, and gives back what the dead ones held."""

from __future__ import annotations

import asyncio
import math
import signal
import time
from collections import Counter
from collections.abc import Callable, Coroutine
from dataclasses import dataclass

from pgqueue.consumer.model import Clock
from pgqueue.consumer.report import Phase, QueueCounts
from pgqueue.daemon import rules
from pgqueue.daemon.model import FleetCounts, FleetSettings, FleetView, Leaving, WorkerView
from pgqueue.daemon.settlement import Death, Settler
from pgqueue.daemon.worker import Worker
from pgqueue.log import get_logger

log = get_logger("pgqueue.daemon")

# After its grace a worker still settles what it has: 5 s; then it ends.
SETTLE_SECONDS = 6.0


@dataclass(slots=True)
class Place:
    """A place for one worker. `crashes`: processes in a row that died young here."""

    number: int
    worker: Worker | None = None
    crashes: int = 0
    start_at: float = 0.0


class Fleet:
    """All workers of one supervisor. Called on its loop; nothing here waits."""

    def __init__(
        self,
        settings: FleetSettings,
        start: Callable[[int], Worker],
        settler: Settler,
        *,
        refusals: frozenset[int] = frozenset(),
        final: frozenset[int] = frozenset(),
        now: Clock = time.monotonic,
    ) -> None:
        """`refusals` are exit codes of a worker that would say the same however often it is started.

        They count until a worker has consumed, those in `final` at any time.
        """
        self._settings, self._start, self._settler = settings, start, settler
        self._refusals, self._final, self._now = refusals, final, now
        self.places = [Place(number) for number in range(settings.processes)]
        self.leaving: list[Worker] = []
        self.stopping = False
        self.refused: int | None = None
        self.codes: list[int] = []
        self.killed_at_stop = False
        self.tasks: set[asyncio.Task[None]] = set()
        self._has_served = False
        self._deaths: Counter[str] = Counter()
        self._retired: dict[str, QueueCounts] = {}

    @property
    def workers(self) -> list[Worker]:
        return [*(place.worker for place in self.places if place.worker), *self.leaving]

    def look(self) -> None:
        """Take in what happened, and act on it."""
        for worker in self.workers:
            if (code := worker.poll()) is not None:
                self._bury(worker, code)
        for place in self.places:
            if place.worker is not None:
                self._judge(place, place.worker)
            elif not self.stopping and self.refused is None and self._now() >= place.start_at:
                self._fill(place)
        for worker in self.leaving:
            self._hurry(worker)

    def stop(self, number: signal.Signals) -> None:
        """Let all workers finish within one deadline; called again, give everything back now."""
        now, again = self._now(), self.stopping
        self.stopping = True
        for place in self.places:
            if place.worker is not None:
                place.worker.leaving = Leaving.STOPPED
                self.leaving.append(place.worker)
                place.worker = None
        for worker in self.leaving:
            kill_at = now + SETTLE_SECONDS + (0 if again else self._settings.grace)
            if again and rules.is_blocked(worker.view()):
                kill_at = now
            worker.kill_at = min(kill_at, math.inf if worker.kill_at is None else worker.kill_at)
            worker.stop(number)

    def view(self) -> FleetView:
        """Say how things are, for whoever asks from now on."""
        return FleetView(
            taken_at=self._now(),
            workers=[worker.view() for worker in self.workers],
            crashes=[place.crashes for place in self.places],
            stopping=self.stopping,
            counts=FleetCounts(
                deaths=dict(self._deaths),
                retired={queue: merged(counts, QueueCounts()) for queue, counts in self._retired.items()},
                settled_for_dead=dict(self._settler.counts.settled),
                renewed_for_silent=dict(self._settler.counts.renewed),
            ),
        )

    def _fill(self, place: Place) -> None:
        try:
            place.worker = self._start(place.number)
        except OSError as error:  # no memory, or no process to be had: perhaps later
            place.crashes += 1
            delay = rules.restart_delay(place.crashes, 0.0)
            place.start_at = self._now() + delay
            log.error("worker.unstarted", worker=place.number, error=str(error), restart_in=delay)  # noqa: TRY400 - the text says it

    def _judge(self, place: Place, worker: Worker) -> None:
        now, view = self._now(), worker.view()
        self._has_served |= view.beat.phase is not Phase.STARTING
        if worker.uptime >= rules.YOUNG:
            place.crashes = 0
        self._mind_silence(worker, view)
        if why := rules.stale_reason(view, now):
            self._replace(place, worker, Leaving.STALE, why)
        elif (
            (why := rules.recycle_reason(view, self._settings))
            and view.beat.phase is Phase.CONSUMING
            and len(self.leaving) < self._settings.processes
        ):
            self._replace(place, worker, Leaving.RECYCLED, why)

    def _replace(self, place: Place, worker: Worker, leaving: Leaving, why: str) -> None:
        """Let a worker finish what it can, while another takes its place."""
        log.warning("worker.replaced", worker=worker.number, pid=worker.pid, reason=leaving, why=why)
        self._deaths[leaving] += 1
        place.worker = None
        too_soon = leaving is Leaving.RECYCLED and worker.uptime < rules.YOUNG
        place.start_at = self._now() + (rules.RESTART_STEP if too_soon else 0.0)
        self.leaving.append(worker)
        self._let_go(worker, leaving)

    def _let_go(self, worker: Worker, leaving: Leaving) -> None:
        worker.leaving = leaving
        worker.kill_at = self._now() + self._settings.grace if leaving is Leaving.STALE else None
        worker.drain()

    def _hurry(self, worker: Worker) -> None:
        """Kill a worker on its way out that can't come to an end."""
        now, view = self._now(), worker.view()
        self._mind_silence(worker, view)
        if worker.leaving is Leaving.RECYCLED and rules.stale_reason(view, now):
            self._let_go(worker, Leaving.STALE)
        if worker.kill_at is None and view.beat.phase is Phase.QUIET and not view.rows:
            worker.kill_at = (
                now + SETTLE_SECONDS
            )  # something that a handler left running keeps it from ending
        pointless = worker.leaving is Leaving.STALE and (
            rules.is_silent(view) or rules.is_done_but_for(view, now)
        )
        if pointless or (worker.kill_at is not None and now >= worker.kill_at):
            self.killed_at_stop |= self.stopping
            worker.was_blocked = rules.is_blocked(view)
            worker.kill()

    def _mind_silence(self, worker: Worker, view: WorkerView) -> None:
        """Renew what a worker runs whose own renewal is held up with the rest of it."""
        if not rules.is_silent(view):
            worker.was_silent = False
            return
        if not worker.was_silent and view.plans:
            log.warning(
                "worker.silent", worker=worker.number, pid=worker.pid, seconds=round(view.silent_for, 1)
            )
            worker.was_silent = True
        now = self._now()
        due = rules.due_for_renewal(view.rows, view.plans, worker.renewed, now)
        if due:
            kept = {row: worker.renewed[row] for row in view.rows if row in worker.renewed}
            worker.renewed = kept | dict.fromkeys(due, now)
            self._do(self._settler.renew(due, view.plans, worker.number))

    def _bury(self, worker: Worker, code: int) -> None:
        worker.bury()
        rows, why = worker.rows(), "SIGKILL by its supervisor" if worker.killed else rules.how_died(code)
        for queue, counts in worker.beat.queues.items():
            self._retired[queue] = merged(self._retired.get(queue, QueueCounts()), counts)
        if worker.leaving is None:
            self._note_death(worker, code, why, len(rows))
        else:
            self.leaving.remove(worker)
            if self.stopping:
                # Before it handles signals a worker ends by them, and holds nothing.
                early = code == -signal.SIGTERM and not worker.plans
                self.codes.append(0 if early else code)
            log.info("worker.stopped", worker=worker.number, pid=worker.pid, how=why)
        if rows:
            death = Death(why, self._now(), spares=_spares(worker, code))
            self._do(self._settler.settle(rows, worker.plans, death, worker.number))

    def _note_death(self, worker: Worker, code: int, why: str, held: int) -> None:
        place = self.places[worker.number]
        place.worker = None
        began = self._has_served or worker.plans or worker.beat.phase is not Phase.STARTING
        if code in self._final or (code in self._refusals and not began):
            self.refused = code
            return
        place.crashes = rules.crashes_after(place.crashes, worker.uptime, worker.handled)
        delay = rules.restart_delay(place.crashes, worker.uptime)
        place.start_at = self._now() + delay
        if not code:
            log.info("worker.stopped", worker=worker.number, pid=worker.pid, how="asked by somebody else")
            return
        self._deaths["crashed"] += 1
        log.error(
            "worker.died",
            worker=worker.number,
            pid=worker.pid,
            how=why,
            uptime=round(worker.uptime, 1),
            held=held,
            restart_in=delay,
        )

    def _do(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)


def _spares(worker: Worker, code: int) -> bool:
    """Tell whether a worker was ended by us while it got on, so that not all that ran may be to blame."""
    if worker.leaving is Leaving.STOPPED:
        return worker.killed or code >= 0
    return worker.leaving is Leaving.STALE and not worker.was_blocked


def merged(one: QueueCounts, other: QueueCounts) -> QueueCounts:
    """Add up what two processes did for a queue."""
    return QueueCounts(
        one.claimed + other.claimed,
        one.handled + other.handled,
        one.handler_seconds + other.handler_seconds,
        one.failed_reads + other.failed_reads,
        {
            verb: one.settled.get(verb, 0) + other.settled.get(verb, 0)
            for verb in one.settled.keys() | other.settled.keys()
        },
    )
