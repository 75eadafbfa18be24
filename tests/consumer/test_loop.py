from __future__ import annotations

import asyncio
import contextvars
import itertools
import threading
from collections.abc import Callable
from dataclasses import replace
from signal import SIGINT, SIGTERM
from typing import Any

import pytest

from pgqueue.call import Call
from pgqueue.consumer.loop import Consumer
from pgqueue.consumer.model import Doors, QueuePlan
from pgqueue.consumer.settings import ProcessSettings
from pgqueue.errors import Unavailable
from pgqueue.task.registry import App
from tests.consumer.conftest import PLAN, AsyncScript, Clock, message

Make = Callable[..., Consumer]


@pytest.fixture
def app() -> App:
    return App()


@pytest.fixture
def make(app: App, doors: Doors, clock: Clock) -> Make:
    def consumer(*plans: QueuePlan, time_stands_still: bool = False, **settings: Any) -> Consumer:
        async def wait(_event: asyncio.Event, seconds: float) -> None:
            clock.now += 0 if time_stands_still else seconds
            await asyncio.sleep(0)

        process = ProcessSettings(**({"concurrency": 4, "grace": 5.0} | settings))
        return Consumer(app, doors, process, plans or (PLAN,), now=clock, wait=wait, chance=lambda: 0.0)

    return consumer


def batch(*ids: int, task: str = "t", **rest: Any) -> list[Any]:
    return [message({"task": task, "args": [n]}, msg_id=n, **rest) for n in ids]


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110 - the condition is whatever a test says
            await asyncio.sleep(0)


async def stop(consumer: Consumer, running: asyncio.Task[int]) -> int:
    consumer.request_stop(SIGTERM)
    return await running


async def test_messages_are_read_handled_and_acked_together(make: Make, work: AsyncScript, app: App) -> None:
    done: list[int] = []

    @app.task("t", queue="orders")
    async def t(n: int) -> None:
        done.append(n)

    work.on("message.read", batch(1, 2, 3))
    consumer = make()
    running = asyncio.create_task(consumer.run())
    await until(lambda: len(work.settled("delete")) == 3)
    assert await stop(consumer, running) == 0
    assert done == [1, 2, 3]
    assert len(work.named("message.delete_batch")) == 1
    vt, qty, _filter, holder = work.named("message.read")[0].params
    assert (vt, qty, holder) == (30.0, 4, "consumer"), "no more than there are free slots"


async def test_plain_handlers_run_in_threads_and_never_more_than_concurrency(
    make: Make, work: AsyncScript, app: App
) -> None:
    lock, go, running_now, most = threading.Lock(), threading.Event(), [0], [0]

    def enter() -> None:
        with lock:
            running_now[0] += 1
            most[0] = max(most[0], running_now[0])

    @app.task("t", queue="orders")
    def t(n: int) -> None:
        enter()
        go.wait(5)
        with lock:
            running_now[0] -= 1

    @app.task("a", queue="orders")
    async def a(n: int) -> None:
        enter()
        await asyncio.to_thread(go.wait, 5)
        with lock:
            running_now[0] -= 1

    work.on("message.read", batch(*range(4)), batch(*range(4, 8), task="a"), batch(*range(8, 12)))
    consumer = make(time_stands_still=True)  # real threads run here: what waits for them must not grow stale
    running = asyncio.create_task(consumer.run())
    await until(lambda: running_now[0] == 4)
    go.set()
    await until(lambda: len(work.settled("delete")) == 12)
    assert await stop(consumer, running) == 0
    assert most[0] == 4


async def test_an_empty_queue_is_asked_less_and_less(
    make: Make, work: AsyncScript, app: App, clock: Clock
) -> None:
    asked: list[float] = []

    def note(_: Call[Any]) -> list[Any]:
        asked.append(clock.now)
        return []

    work.on("message.read", *[note] * 30)
    consumer = make()
    running = asyncio.create_task(consumer.run())
    await until(lambda: len(asked) >= 9)
    await stop(consumer, running)
    gaps = [round(b - a, 3) for a, b in itertools.pairwise(asked[:8])]
    assert gaps == [0.1, 0.2, 0.4, 0.8, 1.6, 2.0, 2.0]


async def test_one_queue_that_fails_leaves_the_other_alone(make: Make, work: AsyncScript, app: App) -> None:
    done: list[int] = []

    @app.task("t", queue="orders")
    async def t(n: int) -> None:
        done.append(n)

    def answer(call: Call[Any]) -> Any:
        if call.queue == "broken":
            raise Unavailable("down")
        return batch(len(work.calls))

    work.on("message.read", *[answer] * 200)
    consumer = make(replace(PLAN, queue="broken"), PLAN)
    running = asyncio.create_task(consumer.run())
    await until(lambda: len(done) >= 20)
    assert await stop(consumer, running) == 0
    failed = sum(call.queue == "broken" for call in work.named("message.read"))
    assert failed < 20, "it is left alone for a while"


async def test_after_the_stop_nothing_is_read_and_what_has_not_started_is_released(
    make: Make, work: AsyncScript, app: App
) -> None:
    go = asyncio.Event()
    started: list[int] = []

    @app.task("t", queue="orders")
    async def t(n: int) -> None:
        started.append(n)
        if n >= 2:
            await go.wait()

    work.on("message.read", batch(1), batch(*range(2, 50)))  # after the first, reading ahead is allowed
    consumer = make(concurrency=1)
    running = asyncio.create_task(consumer.run())
    await until(lambda: 2 in started)
    consumer.request_stop(SIGTERM)
    await until(lambda: len(work.settled("release")) == 47)
    reads = len(work.named("message.read"))
    go.set()
    assert await running == 0
    assert work.settled("delete") == [1, 2]
    assert len(work.named("message.read")) == reads


async def test_what_a_read_brings_after_the_stop_is_released(make: Make, work: AsyncScript, app: App) -> None:
    @app.task("t", queue="orders")
    async def t(n: int) -> None: ...

    consumer = make()

    def late(_: Call[Any]) -> list[Any]:
        consumer.request_stop(SIGTERM)
        return batch(1, 2)

    work.on("message.read", late)
    assert await consumer.run() == 0
    assert work.settled("release") == [1, 2]


@pytest.mark.parametrize(("signal", "code"), [(SIGTERM, 143), (SIGINT, 130)])
async def test_the_second_stop_gives_back_what_runs(
    make: Make, work: AsyncScript, app: App, signal: Any, code: int
) -> None:
    started = asyncio.Event()
    cleaned: list[str] = []

    @app.task("t", queue="orders")
    async def t(n: int) -> None:
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            cleaned.append("up")

    work.on("message.read", batch(1))
    consumer = make(grace=1000.0)
    running = asyncio.create_task(consumer.run())
    await started.wait()
    consumer.request_stop(signal)
    await asyncio.sleep(0)
    consumer.request_stop(signal)
    assert await running == code
    assert work.settled("release") == [1]
    assert cleaned == ["up"]


async def test_what_waits_too_long_for_a_slot_is_given_back(
    make: Make, work: AsyncScript, app: App, clock: Clock
) -> None:
    go = asyncio.Event()

    @app.task("t", queue="orders")
    async def t(n: int) -> None:
        if n == 2:
            await go.wait()

    work.on("message.read", batch(1), batch(2, 3, 4))
    consumer = make(concurrency=1)
    running = asyncio.create_task(consumer.run())
    await until(lambda: work.settled("release"))
    assert work.settled("release") == [3, 4]
    assert clock.now >= 15.0
    go.set()
    assert await stop(consumer, running) == 0


async def test_what_a_handler_leaves_in_its_context_doesnt_reach_the_next(
    make: Make, work: AsyncScript, app: App
) -> None:
    trace: contextvars.ContextVar[str] = contextvars.ContextVar("trace", default="clean")
    seen: list[str] = []

    @app.task("a", queue="orders")
    async def a(n: int) -> None:
        seen.append(trace.get())
        trace.set("dirty")

    @app.task("t", queue="orders")
    def t(n: int) -> None:
        seen.append(trace.get())
        trace.set("dirty")

    work.on("message.read", batch(1, task="a"), batch(2, 3, task="a"), batch(4, 5))
    consumer = make(concurrency=1)
    running = asyncio.create_task(consumer.run())
    await until(lambda: len(work.settled("delete")) == 5)
    await stop(consumer, running)
    assert seen == ["clean"] * 5


async def test_a_fault_of_the_consumer_itself_ends_it_with_1(make: Make, work: AsyncScript, app: App) -> None:
    work.on("message.read", RuntimeError("a bug"))
    assert await make().run() == 1


async def test_new_settings_count_from_the_next_read_on(make: Make, work: AsyncScript, app: App) -> None:
    consumer = make()
    running = asyncio.create_task(consumer.run())
    await until(lambda: work.named("message.read"))
    consumer.change_plan(replace(PLAN, vt=7.0))
    await until(lambda: work.named("message.read")[-1].params[0] == 7.0)
    await stop(consumer, running)
