"""A consumer without a database: messages made by hand, a clock that stands still, a runner that answers by
name.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import logging
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from pgqueue.call import Call
from pgqueue.consumer.model import Doors, Held, QueuePlan
from pgqueue.message.model import Message, Outcome
from pgqueue.queue.model import Backoff

SENT_AT = dt.datetime(2030, 1, 1, tzinfo=dt.UTC)
PLAN = QueuePlan(
    queue="orders",
    vt=30.0,
    health_stale=60.0,
    max_reads=5,
    unknown_grace=600.0,
    backoff=Backoff(1.0, 2.0, 3600.0, 0.0),
    batch=100,
    archive=False,
    ack_async=True,
)


def message(
    payload: Any = None, *, msg_id: int = 1, read_ct: int = 1, release_ct: int = 0, **rest: Any
) -> Message:
    age = rest.pop("age", 0.0)
    return Message(
        msg_id=msg_id,
        read_ct=read_ct,
        enqueued_at=SENT_AT,
        last_read_at=SENT_AT + dt.timedelta(seconds=age),
        vt=SENT_AT + dt.timedelta(seconds=age + 30),
        message=payload,
        headers=rest.pop("headers", None),
        receipt=msg_id * 1000 + read_ct,
        release_ct=release_ct,
        priority=0,
        group_key=None,
        **rest,
    )


def held(payload: Any = None, *, plan: QueuePlan = PLAN, at: float = 0.0, **rest: Any) -> Held:
    return Held(plan, message(payload, **rest), at, at + plan.vt)


class Clock:
    """Monotonic seconds that a test sets."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Script:
    """Answers calls by name and keeps them. An answer is a value, an exception to raise, or a function of the call.

    What settles is done unless an answer says otherwise; a read without an answer finds nothing.
    """

    def __init__(self) -> None:
        self.calls: list[Call[Any]] = []
        self.answers: dict[str, list[Any]] = {}
        self.closed = False

    def on(self, name: str, *answers: Any) -> None:
        """Add answers for a call, given one after the other."""
        self.answers.setdefault(name, []).extend(answers)

    def answer(self, call: Call[Any]) -> Any:
        self.calls.append(call)
        waiting = self.answers.get(call.name)
        if not waiting:
            return [] if call.name.startswith("message.read") else dict.fromkeys(ids_of(call), Outcome.DONE)
        found = waiting.pop(0)
        if isinstance(found, BaseException):
            raise found
        return found(call) if callable(found) else found

    def named(self, name: str) -> list[Call[Any]]:
        return [call for call in self.calls if call.name == name]

    def settled(self, verb: str) -> list[int]:
        """Return the ids that were settled so, in order."""
        return [msg_id for call in self.named(f"message.{verb}_batch") for msg_id in ids_of(call)]


class AsyncScript(Script):
    async def run(self, call: Call[Any]) -> Any:
        return self.answer(call)


class SyncScript(Script):
    def run(self, call: Call[Any]) -> Any:
        return self.answer(call)

    def close(self) -> None:
        self.closed = True


def ids_of(call: Call[Any]) -> list[int]:
    ids = call.params[0]
    assert isinstance(ids, list)
    return ids


class NoTransactions:
    def ending_with(self, last: Callable[[], Call[Any]]) -> Any:
        raise AssertionError(f"no transaction was expected, yet {last().name} was to end one")

    def beginning_with(self, first: Call[Any]) -> Any:
        raise AssertionError(f"no transaction was expected, yet {first.name} was to begin one")


class Ears:
    """A listener that a test rings by hand."""

    def __init__(self) -> None:
        self.hearing = True
        self.queues: list[str] = []
        self.ring: Callable[[str], None]
        self.cancelled = False

    def hears(self) -> bool:
        return self.hearing

    async def listen(self, queues: Sequence[str], rung: Callable[[str], None]) -> None:
        self.queues, self.ring = list(queues), rung
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.cancelled = True
            raise


class Said:
    """What the consumer logged during a test."""

    def __init__(self, caplog: pytest.LogCaptureFixture) -> None:
        self._caplog = caplog

    def events(self) -> list[tuple[str, str]]:
        """Return (level, event), in order."""
        return [(record.levelname, self._of(record)["event"]) for record in self._caplog.records]

    def the(self, event: str) -> dict[str, Any]:
        """Return the fields of the one line of an event."""
        (found,) = [self._of(record) for record in self._caplog.records if self._of(record)["event"] == event]
        return found

    def everything(self) -> str:
        return repr([self._of(record) for record in self._caplog.records])

    @staticmethod
    def _of(record: logging.LogRecord) -> dict[str, Any]:
        assert isinstance(record.msg, dict)
        return record.msg


@pytest.fixture
def said(caplog: pytest.LogCaptureFixture) -> Said:
    caplog.set_level("DEBUG", "pgqueue")
    return Said(caplog)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def work() -> AsyncScript:
    return AsyncScript()


@pytest.fixture
def doors(work: AsyncScript) -> Doors:
    return Doors(work, lambda _: SyncScript(), NoTransactions())
