"""The consumer's ways into the model, and the weather on them."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from enum import Enum
from types import TracebackType
from typing import Any

from pgqueue.call import Call, Repeat, Rows
from pgqueue.db.attempt import lost
from pgqueue.errors import DatabaseError, InDoubt, Unavailable
from tests.simulation.queue_model import QueueModel
from tests.simulation.story import Lease, Story


class Fault(Enum):
    """What can happen to a call."""

    NONE = "none"
    BEFORE = "before"  # an error, and nothing was done
    AFTER = "after"  # done, and the answer is lost
    REPEATED = "repeated"  # done, the answer lost, and run once more where that is allowed
    FULL = "full"  # refused by a server without room: nothing was done, and the connection lives


FAULTS = [Fault.BEFORE, Fault.AFTER, Fault.REPEATED, Fault.FULL]


@dataclass(frozen=True)
class Weather:
    """How often and how hard it strikes. `outages` are spans in which every call fails."""

    dice: random.Random
    share: float
    slow: float
    slowest: float
    outages: tuple[tuple[float, float], ...]
    until: float

    @property
    def is_calm(self) -> bool:
        return not (self.share or self.slow or self.outages)

    def fault(self, now: float) -> Fault:
        if any(begin <= now < end for begin, end in self.outages):
            return Fault.BEFORE
        if now >= self.until or self.dice.random() >= self.share:
            return Fault.NONE
        return self.dice.choice(FAULTS)

    def delay(self, now: float) -> float:
        """Return the seconds that one way of a call takes."""
        if now < self.until and self.dice.random() < self.slow:
            return self.dice.uniform(0.1, self.slowest)
        return self.dice.uniform(0.001, 0.005)


class WorkPort:
    """Reads and settles for one consumer: what `AsyncPgQueue` is in the real one."""

    def __init__(self, who: str, story: Story, weather: Weather, now: Callable[[], float]) -> None:
        self._who, self._story, self._weather, self._now = who, story, weather, now

    async def run(self, call: Call[Any]) -> Any:
        leases = leases_of(call)
        verb = call.name.removeprefix("message.").removesuffix("_batch")
        self._say(f"{verb} {sorted(i for i, _ in leases)}" if leases else verb)
        if leases and verb != "set_vt":
            self._story.asks(self._now(), self._who, verb, leases)
        fault = self._weather.fault(self._now())
        await asyncio.sleep(self._weather.delay(self._now()))
        try:
            answer = await self._under(fault, call)
        except Exception as error:
            self._say(f"{verb} fails: {type(error).__name__} {fault.value}")
            self._story.fails(self._who, verb)
            raise
        if not leases:
            self._story.told[self._who].update((m.msg_id, m.receipt) for m in answer)
        self._story.answers(leases)
        self._say(f"{verb} answered")
        return answer

    async def _under(self, fault: Fault, call: Call[Any]) -> Any:
        strike(fault, call)
        rows = self._story.model.apply(call)
        await asyncio.sleep(self._weather.delay(self._now()))
        if fault is Fault.AFTER or (fault is Fault.REPEATED and call.repeat is not Repeat.ALWAYS):
            raise lost(call, "no answer")
        if fault is Fault.REPEATED:
            await asyncio.sleep(0.5)
            return call.result(self._story.model.apply(call), repeated=True)
        return call.result(rows)

    def _say(self, what: str) -> None:
        self._story.say(self._now(), self._who, what)


class RenewalPort:
    """Renews for one consumer. Nothing takes time here: the thread it stands for isn't simulated."""

    def __init__(self, who: str, story: Story, weather: Weather, now: Callable[[], float]) -> None:
        self._who, self._story, self._weather, self._now = who, story, weather, now

    def run(self, call: Call[Any]) -> Any:
        fault = self._weather.fault(self._now())
        ids = sorted(i for i, _ in leases_of(call))
        self._story.say(self._now(), self._who, f"renew {ids} {fault.value}")
        strike(fault, call)
        rows = self._story.model.apply(call)
        if fault is Fault.AFTER:
            raise lost(call, "no answer")
        return call.result(rows)

    def close(self) -> None: ...


class Transactions:
    """`ctx.tx()`: the effect and the ack in one step of the model."""

    def __init__(self, who: str, story: Story, weather: Weather, now: Callable[[], float]) -> None:
        self.who, self.story, self.weather, self.now = who, story, weather, now

    def ending_with(self, last: Callable[[], Call[Any]]) -> Any:
        return _Transaction(self, last)

    def beginning_with(self, first: Call[bool]) -> Any:
        raise AssertionError(f"no step was expected, yet {first.name} was to begin one")


class _Transaction(AbstractAsyncContextManager[Any]):
    def __init__(self, source: Transactions, last: Callable[[], Call[Any]]) -> None:
        self._source, self._last = source, last

    async def __aenter__(self) -> object:
        await asyncio.sleep(self._source.weather.delay(self._source.now()))
        return object()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None
    ) -> None:
        if kind is not None:
            return
        source, call = self._source, self._last()
        (lease,) = leases_of(call)
        fault = source.weather.fault(source.now())
        source.story.say(source.now(), source.who, f"commit {lease[0]} {fault.value}")
        if fault in (Fault.BEFORE, Fault.FULL):
            raise Unavailable("the transaction was rolled back")
        source.story.succeeded.add(lease)  # if it is acked, then with its effect
        rows = self._commit(call, lease)
        if fault is not Fault.NONE:
            source.story.in_doubt.add(lease)
            raise InDoubt("the commit got no answer")
        call.result(rows)
        source.story.answers([lease])

    def _commit(self, call: Call[Any], lease: Lease) -> Rows:
        rows = self._source.story.model.apply(call)
        self._source.story.effects[lease[0]] += rows == [("done",)]
        return rows


def strike(fault: Fault, call: Call[Any]) -> None:
    """Raise what a call meets that isn't run."""
    if fault is Fault.BEFORE:
        raise Unavailable(f"{call.name}: can't connect")
    if fault is Fault.FULL:
        raise DatabaseError("could not extend file", sqlstate="53100", queue=call.queue)


def leases_of(call: Call[Any]) -> list[Lease]:
    """Return what a settling call is about; nothing for a read."""
    given = QueueModel.arguments(call)
    if "msg_id" in given:
        return [(given["msg_id"], given["receipt"])]
    ids, receipts = given.get("msg_ids", []), given.get("receipts", [])
    return list(zip(ids, receipts if len(receipts) == len(ids) else receipts * len(ids), strict=True))
