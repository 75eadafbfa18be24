"""Several queues in one process: none waits for another, and each is read by its own settings."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from signal import SIGTERM
from typing import Any

import pytest

from pgqueue.call import Call
from pgqueue.consumer.loop import Consumer
from pgqueue.consumer.model import Doors, QueuePlan
from pgqueue.consumer.settings import ProcessSettings
from pgqueue.queue.model import Pause
from pgqueue.task.registry import App
from tests.consumer.conftest import PLAN, AsyncScript, Clock, Ears, NoTransactions, SyncScript, message

PAUSE = Pause("ann", "the mail server is down", dt.datetime(2030, 1, 1, tzinfo=dt.UTC), None)


class Table(AsyncScript):
    """Queues that always have messages, apart from those that hang or are empty."""

    def __init__(self) -> None:
        super().__init__()
        self.hangs: set[tuple[str, str]] = set()  # queue and verb
        self.empty: set[str] = set()
        self.hung: list[Call[Any]] = []
        self.opened = asyncio.Event()  # ends what hangs
        self.cancelled: list[str] = []
        self._last = 0

    async def run(self, call: Call[Any]) -> Any:
        verb = call.name.removeprefix("message.")
        if (call.queue, verb) in self.hangs:
            self.hung.append(call)
            try:
                await self.opened.wait()
            except asyncio.CancelledError:
                self.cancelled.append(call.name)
                raise
            return self.answer(call)
        if verb.startswith("read") and call.queue not in self.empty:
            self.calls.append(call)
            await asyncio.sleep(0)
            (qty,) = [value for value in call.params[1:] if type(value) is int]
            first, self._last = self._last + 1, self._last + qty
            return [message(call.queue, msg_id=n) for n in range(first, self._last + 1)]
        answer = self.answer(call)
        await asyncio.sleep(0)
        return answer

    def reads(self, queue: str) -> list[Call[Any]]:
        return [call for call in self.calls if call.queue == queue and call.name.startswith("message.read")]


class Running:
    """A consumer of some queues whose handlers count what they get."""

    def __init__(self, table: Table, *plans: QueuePlan, ears: Ears | None = None, **settings: Any) -> None:
        self.handled, self.table, self.clock = Counter[str](), table, Clock()
        app = App()
        for plan in plans:
            app.messages(plan.queue)(self._handler())
        doors = Doors(table, lambda _: SyncScript(), NoTransactions(), ears)
        process = ProcessSettings(**({"concurrency": 4, "grace": 5.0} | settings))
        self.consumer = Consumer(
            app, doors, process, plans, now=self.clock, wait=self._wait, chance=lambda: 0.0
        )
        self.task = asyncio.create_task(self.consumer.run())

    def _handler(self) -> Callable[[str], Any]:
        async def handle(payload: str) -> None:
            self.handled[payload] += 1
            await asyncio.sleep(0)

        return handle

    async def _wait(self, event: asyncio.Event, seconds: float) -> None:
        """Time passes only where nothing else happens."""
        for _ in range(20):
            if event.is_set():
                return
            await asyncio.sleep(0)
        self.clock.now += seconds

    async def until(self, condition: Callable[[], object]) -> None:
        async with asyncio.timeout(10):
            while not condition():  # noqa: ASYNC110 - the condition is whatever a test says
                await asyncio.sleep(0)

    async def stop(self) -> int:
        self.consumer.request_stop(SIGTERM)
        return await self.task


def plan(queue: str, **changes: Any) -> QueuePlan:
    return replace(PLAN, queue=queue, **changes)


async def test_with_all_busy_messages_are_handled_by_weight() -> None:
    running = Running(Table(), plan("a", weight=3, batch=10), plan("b", batch=10))
    await running.until(lambda: running.handled.total() >= 4000)
    share = running.handled["a"] / running.handled.total()
    assert await running.stop() == 0
    assert share == pytest.approx(0.75, abs=0.03)


@pytest.mark.parametrize("hangs", [{"stuck"}, {"stuck", "worse"}, {"stuck", "worse", "worst"}], ids=len)
async def test_queues_whose_read_hangs_keep_the_others_waiting_for_half_a_second_at_most(
    hangs: set[str],
) -> None:
    table = Table()
    table.hangs = {(queue, "read") for queue in hangs}
    running = Running(table, *(plan(queue) for queue in sorted(hangs)), plan("a"))
    await running.until(lambda: running.handled["a"] >= 100)
    assert running.clock.now <= 1.0
    assert sorted(str(call.queue) for call in table.hung) == sorted(hangs), "one read a queue at a time"
    table.opened.set()
    assert await running.stop() == 0


async def test_acks_that_hang_keep_those_of_other_queues_not_waiting() -> None:
    table = Table()
    table.hangs = {("stuck", "delete_batch")}
    running = Running(table, plan("stuck", batch=5), plan("a", batch=5))
    await running.until(lambda: [c.queue for c in table.named("message.delete_batch")].count("a") >= 50)
    table.opened.set()
    assert await running.stop() == 0


async def test_the_stop_waits_for_a_read_that_hangs_no_longer_than_two_seconds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("pgqueue.consumer.loop.LAST_READ_SECONDS", 0.05)
    table = Table()
    table.hangs = {("stuck", "read")}
    table.empty = {"a"}
    running = Running(table, plan("stuck"), plan("a"), grace=1000.0)
    await running.until(lambda: table.hung)
    assert await asyncio.wait_for(running.stop(), 5) == 0
    assert table.cancelled == ["message.read"]


async def test_after_the_stop_no_queue_is_read() -> None:
    """U55"""
    table = Table()
    running = Running(table, plan("a"), plan("b"), plan("c"))
    await running.until(lambda: len(running.handled) == 3)
    running.consumer.request_stop(SIGTERM)
    before = len(table.calls)
    assert await running.task == 0
    assert [call for call in table.calls[before:] if call.name.startswith("message.read")] == []


async def test_a_read_that_ends_in_a_bug_ends_the_consumer() -> None:
    table = Table()
    running = Running(table, plan("a"), plan("b"))
    table.empty = {"a", "b"}
    table.on("message.read", KeyError("a bug"))
    assert await asyncio.wait_for(running.task, 5) == 1


async def test_a_paused_queue_is_asked_at_the_longest_interval_and_nobody_is_to_ring() -> None:
    table = Table()
    table.empty = {"a"}
    running = Running(table, plan("a", paused=PAUSE), ears=Ears())
    await running.until(lambda: len(table.reads("a")) >= 6)
    assert {call.name for call in table.reads("a")} == {"message.read"}
    assert running.clock.now >= 5 * 2.0
    assert await running.stop() == 0


async def test_a_queue_with_a_limit_on_leases_is_never_claimed_ahead() -> None:
    table = Table()
    running = Running(table, plan("a", limited=True))
    await running.until(lambda: running.handled["a"] >= 100)
    assert {call.params[1] for call in table.reads("a")} <= {1, 2, 3, 4}
    assert await running.stop() == 0


async def test_an_ack_makes_a_queue_at_its_limit_read_at_once() -> None:
    """Two messages may be in flight: what the acks free is not left to the poll."""
    table = Table()
    table.empty = {"a"}

    def two(call: Call[Any]) -> list[Any]:
        return [message("a", msg_id=len(table.calls) * 10 + n) for n in range(2)]

    table.on("message.read", two, [], two, [], two, [])
    running = Running(table, plan("a", limited=True))
    await running.until(lambda: running.handled["a"] >= 6)
    assert running.clock.now == 0.0
    assert await running.stop() == 0
