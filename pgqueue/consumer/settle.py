"""Sends verdicts to the database: what gathers while one call is on its way goes out with the next."""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from pgqueue.consumer import calls
from pgqueue.consumer.barriers import as_settled
from pgqueue.consumer.model import Held, QueuePlan, Runner, Verb, Verdict
from pgqueue.errors import ContinuationFailed, PgQueueError, QueueNotFound
from pgqueue.log import get_logger
from pgqueue.message.model import Outcome
from pgqueue.message.rules import backoff_delay, clean_error
from pgqueue.periodic import Trouble, is_of_the_server

T = TypeVar("T")
log = get_logger("pgqueue.consumer")

LARGEST_CALL = 1_000
MOST_TRIES = 5
LEAST_PAUSE = 0.25
QUIET = frozenset({Verb.RELEASE})
SENDING = frozenset(
    {Verb.ARRIVE, Verb.BURY_PART, Verb.ACK_WITH}
)  # a queue that isn't there may be where they send to


@dataclass(slots=True, eq=False)
class Ended:
    """One message on its way to be settled."""

    held: Held
    verdict: Verdict
    tries: int = 0


class Finished(Protocol):
    """Hears of messages that need nothing more: `settled` by the database, or given up."""

    def __call__(self, group: Sequence[Ended], verb: Verb, /, *, settled: bool) -> None: ...


class Settler:
    """Gathers verdicts and settles them, one call at a time, in the order queue by queue and verb by verb."""

    def __init__(
        self,
        runner: Runner,
        finished: Finished = lambda *_, **__: None,
        pause: Callable[[float], Awaitable[object]] = asyncio.sleep,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._runner = runner
        self._waiting: deque[Ended] = deque()
        self._in_flight = 0
        self._wake = asyncio.Event()
        self._answered = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._trouble = Trouble(chance)
        self._chance = chance
        self._finished = finished
        self._pause = pause
        self._retry_in = 0.0

    @property
    def pending(self) -> int:
        """How many verdicts the database hasn't answered yet."""
        return len(self._waiting) + self._in_flight

    def add(self, held: Held, verdict: Verdict) -> None:
        """Take a verdict; it goes out as soon as the call before it is answered."""
        if verdict.verb is not Verb.NOTHING:
            self._waiting.append(Ended(held, as_settled(held, verdict)))
            self._idle.clear()
            self._wake.set()

    async def run(self) -> None:
        """Settle for ever. Whatever the database answers, this goes on; cancel it at the end."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            if failed := await self.settle_waiting():
                await self._pause_or_answer(failed)
                self._wake.set()
            elif not self._waiting:
                self._idle.set()

    def server_answered(self) -> None:
        """Hear that another call was answered: what waits because the server was away need not wait any longer."""
        self._answered.set()

    async def _pause_or_answer(self, seconds: float) -> None:
        """Wait so long, or until the server is heard to answer: leases run out meanwhile."""
        await self._pause(min(seconds, LEAST_PAUSE))
        self._answered.clear()
        rest = asyncio.ensure_future(self._pause(max(seconds - LEAST_PAUSE, 0.0)))
        answer = asyncio.create_task(self._answered.wait())
        try:
            await asyncio.wait({rest, answer}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            rest.cancel()
            answer.cancel()

    async def settle_waiting(self) -> float:
        """Send everything gathered until now. Return the seconds to wait before the next try."""
        self._retry_in = 0.0
        batch = list(self._waiting)
        self._waiting.clear()
        self._in_flight = len(batch)
        try:
            for plan, verb, group in _calls_of(batch):
                await self._send(plan, verb, group)
                self._in_flight -= len(group)
        finally:
            self._in_flight = 0
        return self._retry_in

    async def drained(self) -> None:
        """Return when nothing waits to be settled."""
        await self._idle.wait()

    async def _send(self, plan: QueuePlan, verb: Verb, group: list[Ended]) -> None:
        pairs = [(ended.held, ended.verdict) for ended in group]
        try:
            outcomes = await self._runner.run(calls.settle(plan, verb, pairs))
        except PgQueueError as error:
            if isinstance(error, QueueNotFound) and verb not in SENDING:
                _report_dropped(plan, verb, len(group), error)
                self._finished(group, verb, settled=False)
                return
            if not is_of_the_server(error):
                await self._refused(plan, verb, group, error)
                return
            self._waiting.extend(group)
            self._retry_in = self._trouble.seen()
            log.warning("settle.failed", queue=plan.queue, verb=verb, messages=len(group), error=str(error))
        else:
            self._trouble.over()
            self._finished(group, verb, settled=True)
            _note_lost(plan, verb, group, outcomes)

    async def _refused(self, plan: QueuePlan, verb: Verb, group: list[Ended], error: PgQueueError) -> None:
        """Find the message that the database refuses: each is tried alone, and given up after a few tries.

        One with which something is to be sent that can't be is given back with that error.
        """
        if len(group) > 1:
            for ended in group:
                await self._send(plan, verb, [ended])
            return
        ended = group[0]
        ended.tries += 1
        again = ended.tries < MOST_TRIES
        if isinstance(error, (ContinuationFailed, QueueNotFound)):
            # The same ack would be refused again: the message comes back later, with the error for everybody to see.
            ended.verdict, again = self._given_back(ended.held, error), True
        if again:
            self._waiting.append(ended)
            self._retry_in = self._trouble.seen()
        else:
            self._finished([ended], verb, settled=False)
        log.error(
            "settle.failed",
            queue=plan.queue,
            verb=verb,
            msg_id=ended.held.message.msg_id,
            error=str(error),
            given_up=not again,
        )

    def _given_back(self, held: Held, error: PgQueueError) -> Verdict:
        delay = backoff_delay(held.plan.backoff, held.attempt, self._chance())
        return Verdict(Verb.RETRY, delay=delay, error=clean_error(f"not acked: {error}"))


def _report_dropped(plan: QueuePlan, verb: Verb, messages: int, error: QueueNotFound) -> None:
    log.error("settle.failed", queue=plan.queue, verb=verb, messages=messages, error=str(error))


def _calls_of(batch: Iterable[Ended]) -> Iterator[tuple[QueuePlan, Verb, list[Ended]]]:
    """Group by queue, verb, commit mode and archive, which may have changed; at most `LARGEST_CALL` a group."""
    groups: dict[tuple[str, Verb, bool, bool], list[Ended]] = {}
    for ended in batch:
        plan, verb = ended.held.plan, ended.verdict.verb
        groups.setdefault((plan.queue, verb, plan.ack_async, plan.archive), []).append(ended)
    for (_, verb, _, _), group in groups.items():
        largest = 1 if verb is Verb.FINISH else LARGEST_CALL
        for part in parts_of_calls(group, lambda ended: ended.held.message.msg_id, largest):
            yield group[0].held.plan, verb, part


def parts_of_calls(
    group: Sequence[T], msg_id: Callable[[T], int], largest: int = LARGEST_CALL
) -> Iterator[list[T]]:
    """Cut into lists of at most `largest` in which no message stands twice.

    A process can hold two leases of one message, an old and a new one; one call would give both the delay and the
    error of the first.
    """
    rest: Sequence[T] = group
    while rest:
        once: dict[int, T] = {}
        again = [one for one in rest if once.setdefault(msg_id(one), one) is not one]
        distinct = list(once.values())
        for start in range(0, len(distinct), largest):
            yield distinct[start : start + largest]
        rest = again


def _note_lost(plan: QueuePlan, verb: Verb, group: list[Ended], outcomes: dict[int, Outcome]) -> None:
    if all(outcome is Outcome.DONE for outcome in outcomes.values()):
        return
    for ended in group:
        outcome = outcomes.get(ended.held.message.msg_id)
        if outcome is Outcome.DONE or verb in QUIET:
            continue
        log.warning(
            "message.lease_lost",
            queue=plan.queue,
            msg_id=ended.held.message.msg_id,
            outcome=outcome,
            verb=verb,
            attempt=ended.held.attempt,
        )
