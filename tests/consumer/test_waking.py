"""What a ring does to a consumer, and what it doesn't."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from signal import SIGTERM
from typing import Any

import pytest

from pgqueue.call import Call
from pgqueue.consumer.loop import Consumer
from pgqueue.consumer.model import Doors, QueuePlan
from pgqueue.consumer.settings import ProcessSettings
from pgqueue.task.registry import App
from tests.consumer.conftest import PLAN, AsyncScript, Clock, Ears, message


class Sleeper:
    """A consumer whose waits end when a test says so: at once by their event, else when `pass_time` is called."""

    def __init__(self, app: App, doors: Doors, clock: Clock, *plans: QueuePlan, **settings: Any) -> None:
        self.clock = clock
        self.waits: list[float] = []
        self._passed = asyncio.Event()
        process = ProcessSettings(**({"concurrency": 1, "grace": 5.0} | settings))
        self.consumer = Consumer(
            app, doors, process, plans or (PLAN,), now=clock, wait=self._wait, chance=lambda: 0.0
        )
        self.running = asyncio.create_task(self.consumer.run())

    async def _wait(self, event: asyncio.Event, seconds: float) -> None:
        self.waits.append(seconds)
        rung, passed = asyncio.create_task(event.wait()), asyncio.create_task(self._passed.wait())
        await asyncio.wait({rung, passed}, return_when=asyncio.FIRST_COMPLETED)
        if self._passed.is_set():
            self.clock.now += seconds
        self._passed.clear()
        for task in (rung, passed):
            task.cancel()

    async def settle(self) -> None:
        """Let everything happen that can without time passing."""
        for _ in range(50):
            await asyncio.sleep(0)

    async def pass_time(self) -> None:
        self._passed.set()
        await self.settle()

    async def stop(self) -> int:
        self.consumer.request_stop(SIGTERM)
        return await self.running


@pytest.fixture
def ears() -> Ears:
    return Ears()


@pytest.fixture
def app() -> App:
    return App()


def reads(work: AsyncScript) -> list[str]:
    return [call.name.removeprefix("message.") for call in work.calls if call.name.startswith("message.read")]


@pytest.fixture
def begin(app: App, doors: Doors, clock: Clock, ears: Ears) -> Callable[..., Sleeper]:
    return lambda *plans, **settings: Sleeper(app, replace(doors, listener=ears), clock, *plans, **settings)


async def test_an_idle_consumer_says_that_it_waits_looks_again_once_and_then_sleeps(
    begin: Callable[..., Sleeper], work: AsyncScript, ears: Ears
) -> None:
    sleeper = begin()
    await sleeper.settle()
    assert ears.queues == ["orders"]
    assert reads(work) == ["read_or_await"]
    *_, wait = work.calls[0].params
    assert wait == 3.0, "longer than the longest poll, so that it is renewed before it ends"
    await sleeper.pass_time()
    await sleeper.pass_time()
    assert reads(work) == ["read_or_await"] * 3
    assert sleeper.waits == pytest.approx([0.05, 0.1, 0.2])
    assert await sleeper.stop() == 0
    assert ears.cancelled


async def test_a_ring_is_answered_by_one_read_at_once(
    begin: Callable[..., Sleeper], work: AsyncScript, app: App, ears: Ears, clock: Clock
) -> None:
    done: list[float] = []

    @app.messages("orders")
    async def handle(_: object) -> None:
        done.append(clock.now)

    sleeper = begin()
    for _ in range(4):
        await sleeper.pass_time()
    before, now = len(reads(work)), clock.now
    work.on("message.read_or_await", [message(1)])
    ears.ring("orders")
    await sleeper.settle()
    assert done == [now]
    assert reads(work)[before:] == ["read_or_await"] * 2, "the message, and that there are no more"
    assert await sleeper.stop() == 0


async def test_a_ring_for_nothing_makes_no_busy_loop(
    begin: Callable[..., Sleeper], work: AsyncScript, ears: Ears
) -> None:
    sleeper = begin()
    for _ in range(4):
        await sleeper.pass_time()
    before = len(reads(work))
    ears.ring("orders")
    ears.ring("orders")
    await sleeper.settle()
    assert len(reads(work)) == before + 1
    ears.ring("nobody")
    await sleeper.settle()
    assert len(reads(work)) == before + 1
    assert await sleeper.stop() == 0


async def test_a_ring_wakes_its_queue_only(
    begin: Callable[..., Sleeper], work: AsyncScript, ears: Ears
) -> None:
    sleeper = begin(replace(PLAN, queue="mails"), PLAN)
    for _ in range(6):
        await sleeper.pass_time()
    before = len(work.calls)
    ears.ring("orders")
    await sleeper.settle()
    assert [call.queue for call in work.calls[before:]] == ["orders"]
    assert await sleeper.stop() == 0


async def test_a_ring_during_a_read_that_finds_nothing_is_not_lost(
    begin: Callable[..., Sleeper], work: AsyncScript, app: App, ears: Ears
) -> None:
    done: list[object] = []

    @app.messages("orders")
    async def handle(payload: object) -> None:
        done.append(payload)

    def rings(_: Call[Any]) -> list[Any]:
        ears.ring("orders")
        return []

    work.on("message.read_or_await", [], rings, [message("late")])
    sleeper = begin()
    await sleeper.pass_time()
    assert done == ["late"]
    assert await sleeper.stop() == 0


async def test_a_ring_makes_no_read_while_no_slot_is_free(
    begin: Callable[..., Sleeper], work: AsyncScript, app: App, ears: Ears
) -> None:
    go = asyncio.Event()

    @app.messages("orders")
    async def handle(_: object) -> None:
        await go.wait()

    work.on("message.read_or_await", [message(1)])
    sleeper = begin()
    await sleeper.pass_time()
    ears.ring("orders")
    await sleeper.pass_time()
    assert len(reads(work)) == 1
    go.set()
    await sleeper.settle()
    assert len(reads(work)) == 2
    assert await sleeper.stop() == 0


async def test_without_anything_heard_it_polls_as_ever(
    begin: Callable[..., Sleeper], work: AsyncScript, ears: Ears
) -> None:
    ears.hearing = False
    sleeper = begin()
    for _ in range(3):
        await sleeper.pass_time()
    assert reads(work) == ["read"] * 4
    assert sleeper.waits[:3] == pytest.approx([0.1, 0.2, 0.4])
    assert await sleeper.stop() == 0


@pytest.mark.parametrize("end", [None, RuntimeError("a bug")], ids=["returns", "crashes"])
async def test_polling_goes_on_when_the_listener_is_gone(
    end: Exception | None, app: App, doors: Doors, clock: Clock, work: AsyncScript
) -> None:
    class Gone(Ears):
        async def listen(self, _queues: Sequence[str], _rung: Callable[[str], None]) -> None:
            self.hearing = False
            if end is not None:
                raise end

    sleeper = Sleeper(app, replace(doors, listener=Gone()), clock)
    for _ in range(3):
        await sleeper.pass_time()
    assert len(reads(work)) == 4
    assert not sleeper.running.done()
    assert await sleeper.stop() == 0
