"""What a consumer says about its work: what it holds, what it has done, and whether it gets on.

What is held stands in memory that outlives the process (`record`), the rest goes to the supervisor as one line a
second (`beat`). Nothing here waits, and nothing makes a call into the system.
"""

from __future__ import annotations

import math
import mmap
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any

import orjson

from pgqueue.consumer.model import Clock, Held, QueuePlan, Verb
from pgqueue.consumer.record import SIZE, Cells, Record
from pgqueue.queue.model import Backoff


class Phase(StrEnum):
    """How far a worker is. QUIET: told to stop, reads nothing more, and what had not started is given back."""

    STARTING = "starting"
    CONSUMING = "consuming"
    STOPPING = "stopping"
    QUIET = "quiet"


@dataclass(slots=True)
class QueueCounts:
    """What this process has done for one queue since its start. `settled` counts by verb."""

    claimed: int = 0
    handled: int = 0
    handler_seconds: float = 0.0
    failed_reads: int = 0
    settled: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Beat:
    """One line of a worker.

    Ages are seconds: `loop_lag` since its loop owes an answer, `turn_age` since its reading loop last went round,
    `failing_for` since when the reads of a queue fail without one success (the longest of all queues),
    `all_failing_for` since when those of every queue do: 0 while one of them is read.
    """

    phase: Phase = Phase.STARTING
    loop_lag: float = 0.0
    turn_age: float = 0.0
    failing_for: float = 0.0
    all_failing_for: float = 0.0
    resident_bytes: int = 0
    queues: Mapping[str, QueueCounts] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PlanLine:
    """The plan that the rows of the record name by `number`: what a supervisor needs to settle or to renew."""

    number: int
    queue: str
    vt: float
    health_stale: float
    backoff: Backoff


class Report:
    """Written by the consumer on its loop, read by the thread that beats.

    A dict that both know is replaced and never changed, since the thread may be in the middle of it.
    `shortest_vt` is that of the leases taken until now. Without a supervisor the same is written into memory of this
    process, and nobody reads it.
    """

    def __init__(
        self,
        cells: Cells | None = None,
        tell: Callable[[bytes], None] = lambda _: None,
        now: Clock = time.monotonic,
    ) -> None:
        self.phase = Phase.STARTING
        self._now = now
        self._tell = tell
        self._record = Record(
            memoryview(mmap.mmap(-1, SIZE)).cast("q") if cells is None else cells, self._tell_plan
        )
        self._counts: dict[str, QueueCounts] = {}
        self._queues: frozenset[str] = frozenset()
        self._failing_since: dict[str, float] = {}
        self._turned_at = now()
        self.shortest_vt = math.inf

    def expect(self, plans: Iterable[QueuePlan]) -> None:
        """Say by which plans messages are claimed from now on: the limits of a worker that has claimed none yet."""
        for plan in plans:
            self._queues |= {plan.queue}
            self._record.number(plan)

    def turned(self) -> None:
        """The reading loop goes round."""
        self._turned_at = self._now()

    def read(self, plan: QueuePlan, claimed: Sequence[Held]) -> None:
        """A read worked, whether or not it found something."""
        if plan.queue in self._failing_since:
            failing = self._failing_since.items()
            self._failing_since = {queue: since for queue, since in failing if queue != plan.queue}
        if claimed:
            self._of(plan).claimed += len(claimed)
            self._record.claimed(plan, claimed)

    def read_failed(self, plan: QueuePlan) -> None:
        self._failing_since = {plan.queue: self._now()} | self._failing_since
        self._of(plan).failed_reads += 1

    def started(self, held: Held) -> None:
        """Its handler begins."""
        self._record.started(held)

    def ended(self, held: Held, verb: Verb) -> None:
        """Its handler is done; NOTHING: so is the message, as far as this process goes."""
        counts = self._of(held.plan)
        counts.handled += 1
        if held.started_at is not None:
            counts.handler_seconds += self._now() - held.started_at
        self._record.ended(held)
        if verb is Verb.NOTHING:
            self._record.forget(held)

    def finished(self, done: Sequence[Held], verb: Verb, *, settled: bool) -> None:
        """The database has settled these, or they are given up."""
        for held in done:
            self._record.forget(held)
        if settled and done:
            counts = self._of(done[0].plan)
            counts.settled = counts.settled | {verb: counts.settled.get(verb, 0) + len(done)}

    def beat(self, loop_lag: float, resident_bytes: int) -> Beat:
        """Say how it goes."""
        now = self._now()
        failing = self._failing_since
        all_fail = self._queues <= failing.keys()
        return Beat(
            self.phase,
            loop_lag,
            turn_age=now - self._turned_at if self.phase is Phase.CONSUMING else 0.0,
            failing_for=now - min(failing.values(), default=now),
            all_failing_for=now - max(failing.values(), default=now) if all_fail else 0.0,
            resident_bytes=resident_bytes,
            queues=self._counts,
        )

    def _of(self, plan: QueuePlan) -> QueueCounts:
        counts = self._counts.get(plan.queue)
        if counts is None:
            counts = QueueCounts()
            self._counts = self._counts | {plan.queue: counts}
        return counts

    def _tell_plan(self, number: int, plan: QueuePlan) -> None:
        self.shortest_vt = min(self.shortest_vt, plan.vt)
        self._tell(encode("plan", PlanLine(number, plan.queue, plan.vt, plan.health_stale, plan.backoff)))


def encode(kind: str, content: Beat | PlanLine | None = None) -> bytes:
    """Write one line."""
    values = asdict(content) if content is not None else {}
    return orjson.dumps({"is": kind} | values, default=tuple, option=orjson.OPT_NON_STR_KEYS) + b"\n"


def decode(line: bytes) -> Beat | PlanLine | str | None:
    """Read one line: a beat, a plan, the name of anything else; None for what is no line of ours."""
    try:
        values: dict[str, Any] = orjson.loads(line)
        match kind := values.pop("is"):
            case "beat":
                queues = {name: QueueCounts(**given) for name, given in values.pop("queues").items()}
                return Beat(Phase(values.pop("phase")), queues=queues, **values)
            case "plan":
                return PlanLine(backoff=Backoff(*values.pop("backoff")), **values)
    except (ValueError, TypeError, KeyError, AttributeError):
        return None
    return str(kind)
