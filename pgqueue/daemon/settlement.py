"""What becomes of the messages of a dead worker: the supervisor holds their receipts, so they come back at once."""

from __future__ import annotations

import asyncio
import random
import threading
import time
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from pgqueue.call import Call
from pgqueue.consumer.model import Clock, RenewalRunner, Verb
from pgqueue.consumer.record import WAITING, Row
from pgqueue.consumer.report import PlanLine
from pgqueue.consumer.settle import parts_of_calls
from pgqueue.daemon import rules
from pgqueue.errors import PgQueueError
from pgqueue.log import get_logger
from pgqueue.message import calls
from pgqueue.message.model import Outcome
from pgqueue.message.rules import backoff_delay
from pgqueue.periodic import Trouble, is_of_the_server

log = get_logger("pgqueue.daemon")

Plans = Mapping[int, PlanLine]
Settlement = Call[dict[int, Outcome]]


@dataclass(frozen=True, slots=True)
class Death:
    """How a worker ended, and when.

    `spares`: the process got on or was stopped, so only what had run past its health_stale is to blame; else
    whatever had started may be.
    """

    why: str
    at: float
    spares: bool = False

    def verb_for(self, row: Row, plans: Plans) -> Verb:
        """What may have killed the process is retried, which counts; the rest is released, uncounted."""
        blamed = row.state != WAITING and (not self.spares or rules.is_outlived(row, plans, self.at))
        return Verb.RETRY if blamed else Verb.RELEASE

    def error_of(self, row: Row, plan: PlanLine) -> str:
        """The text kept with a message that had started."""
        if rules.is_outlived(row, {row.plan: plan}, self.at):
            return (
                f"the handler ran for {self.at - row.since:.0f} s, over health_stale ({plan.health_stale:g} s): "
                f"its worker process was replaced ({self.why})"
            )
        return f"worker process died: {self.why}"


class Part(NamedTuple):
    """What goes in one call for a dead worker."""

    plan: PlanLine
    verb: Verb
    rows: list[Row]


@dataclass(slots=True)
class Settled:
    """What was settled for dead workers, by queue and verb; what was renewed for silent ones, by queue."""

    settled: Counter[tuple[str, str]] = field(default_factory=Counter)
    renewed: Counter[str] = field(default_factory=Counter)


class Settler:
    """Settles and renews over a connection of the supervisor's own, opened when it is needed first."""

    def __init__(
        self,
        open_runner: Callable[[], RenewalRunner],
        *,
        now: Clock = time.monotonic,
        pause: Callable[[float], Awaitable[object]] = asyncio.sleep,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._open_runner = open_runner
        self._now, self._pause, self._chance = now, pause, chance
        self._runner: RenewalRunner | None = None
        self._opening = threading.Lock()
        self.counts = Settled()

    async def settle(self, rows: Sequence[Row], plans: Plans, death: Death, worker: int) -> None:
        """Give everything back that a dead worker held.

        While the server is in trouble it is tried again, until the leases are over anyway.
        """
        until = self._now() + max((plan.vt for plan in plans.values()), default=0.0)
        trouble = Trouble(self._chance)
        waiting = deque(_parts(rows, plans, death))
        while waiting:
            part = waiting.popleft()
            queue, verb = part.plan.queue, part.verb
            try:
                outcomes = await self._run(self._call(part, death))
            except PgQueueError as error:
                if is_of_the_server(error) and self._now() < until:
                    waiting.append(part)  # behind the others: a lock may keep this queue alone
                    await self._pause(trouble.seen())
                else:
                    _say_unsettled(worker, part, error)
                continue
            done = sum(outcome is Outcome.DONE for outcome in outcomes.values())
            self.counts.settled[queue, verb] += done
            log.info("worker.settled", worker=worker, queue=queue, verb=verb, messages=done)

    async def renew(self, rows: Sequence[Row], plans: Plans, worker: int) -> None:
        """Prolong the leases of a worker that can't do it itself."""
        for plan, part in _parts_by_plan(rows, plans):
            ids, receipts = [row.msg_id for row in part], [row.receipt for row in part]
            try:
                outcomes = await self._run(calls.set_vt_batch(plan.queue, ids, plan.vt, receipts))
            except PgQueueError as error:
                log.warning("worker.unrenewed", worker=worker, queue=plan.queue, error=str(error))
            else:
                self.counts.renewed[plan.queue] += sum(o is Outcome.DONE for o in outcomes.values())

    def close(self) -> None:
        if self._runner is not None:
            self._runner.close()

    async def _run(self, call: Settlement) -> dict[int, Outcome]:
        return await asyncio.to_thread(self._run_now, call)

    def _run_now(self, call: Settlement) -> dict[int, Outcome]:
        with self._opening:
            if self._runner is None:
                self._runner = self._open_runner()
        return self._runner.run(call)

    def _call(self, part: Part, death: Death) -> Settlement:
        plan, rows = part.plan, part.rows
        ids, receipts = [row.msg_id for row in rows], [row.receipt for row in rows]
        if part.verb is Verb.RELEASE:
            return calls.release_batch(plan.queue, ids, receipts)
        delays = [backoff_delay(plan.backoff, row.attempt, self._chance()) for row in rows]
        return calls.retry_batch(
            plan.queue, ids, delays, [death.error_of(row, plan) for row in rows], receipts
        )


def _say_unsettled(worker: int, part: Part, error: PgQueueError) -> None:
    log.error("worker.unsettled", worker=worker, queue=part.plan.queue, verb=part.verb, error=str(error))


def _parts(rows: Iterable[Row], plans: Plans, death: Death) -> Iterator[Part]:
    """Group what a dead worker held by verb and plan."""
    groups: dict[Verb, list[Row]] = {}
    for row in rows:
        groups.setdefault(death.verb_for(row, plans), []).append(row)
    for verb, group in groups.items():
        for plan, part in _parts_by_plan(group, plans):
            yield Part(plan, verb, part)


def _parts_by_plan(rows: Iterable[Row], plans: Plans) -> Iterator[tuple[PlanLine, list[Row]]]:
    groups: dict[int, list[Row]] = {}
    for row in rows:
        if row.plan in plans:
            groups.setdefault(row.plan, []).append(row)
    for number, group in groups.items():
        for part in parts_of_calls(group, lambda row: row.msg_id):
            yield plans[number], part
