"""The apps of the workers that are killed at every point: one handler a scenario, for any number of queues."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pgqueue import App, Bury, Context
from pgqueue.consumer.outcome import DELETE
from pgqueue.consumer.slots import Slots
from pgqueue.queue.model import Backoff
from tests_integration.faults.crash_points import around

AT_ONCE = Backoff(0.01, 1.0, 0.01, 0.0)
INSERT = "insert into public.effect values (%s)"


def mark(name: str) -> None:
    """Leave a file that says what happened, in which process and when."""
    (Path(os.environ["MARKS"]) / f"{name}-{os.getpid()}-{time.monotonic_ns()}").touch()


def act(app: App, queue: str) -> None:
    @app.messages(queue)
    async def handle(message: Any) -> None:
        mark(f"start-{queue}")
        around("effect", lambda: mark(f"effect-{queue}"))


def act_in_thread(app: App, queue: str) -> None:
    @app.messages(queue)
    def handle(message: Any) -> None:
        mark(f"start-{queue}")
        around("effect", lambda: mark(f"effect-{queue}"))


def bury(app: App, queue: str) -> None:
    @app.messages(queue)
    async def handle(message: Any) -> None:
        mark(f"start-{queue}")
        raise Bury("hopeless")


def fail(app: App, queue: str) -> None:
    @app.messages(queue, backoff=AT_ONCE)
    async def handle(message: Any) -> None:
        mark(f"start-{queue}")
        raise ValueError("boom")


def act_in_tx(app: App, queue: str) -> None:
    @app.messages(queue)
    async def handle(message: Any, ctx: Context) -> None:
        mark(f"start-{queue}")
        async with ctx.tx() as connection:
            await connection.execute(INSERT, [queue])


def act_in_tx_in_thread(app: App, queue: str) -> None:
    @app.messages(queue)
    def handle(message: Any, ctx: Context) -> None:
        mark(f"start-{queue}")
        with ctx.tx() as connection:
            connection.execute(INSERT, [queue])


def meet(app: App, queue: str) -> None:
    """The last part of a barrier, and its callback, which comes through the same queue."""

    @app.messages(queue)
    async def handle(message: Any, ctx: Context) -> object:
        what = "callback" if ctx.from_barrier else "part"
        mark(f"start-{what}-{queue}")
        around(what, lambda: mark(f"effect-{what}-{queue}"))
        return message


def meet_in_tx(app: App, queue: str) -> None:
    """The same; the effect of either is in the transaction of its ack."""

    @app.messages(queue)
    def handle(message: Any, ctx: Context) -> None:
        what = "callback" if ctx.from_barrier else "part"
        mark(f"start-{what}-{queue}")
        with ctx.tx() as connection:
            connection.execute(INSERT, [f"{what}-{queue}"])
            if what == "part":
                ctx.arrive_with(message)


def be_stopped(app: App, queue: str) -> None:
    """The first message is quick, so that more are claimed ahead; the second brings the signal and hangs."""

    @app.messages(queue)
    async def handle(message: Any) -> None:
        mark(f"start-{queue}")
        if message["n"] and "CRASH_LOG" in os.environ:
            os.kill(os.getpid(), signal.SIGTERM)
            await asyncio.sleep(60)
        mark(f"effect-{queue}")


def act_after_the_ack(app: App, queue: str) -> None:
    """Be a worker with a fault: it acks what its handler has only begun."""
    start = Slots.start

    def hasty(self: Slots, job: Any) -> None:
        start(self, job)
        self._ended([(held, DELETE) for held in job.members])

    Slots.start = hasty  # type: ignore[method-assign]

    @app.messages(queue)
    async def handle(message: Any) -> None:
        mark(f"start-{queue}")
        await asyncio.sleep(60)
        mark(f"effect-{queue}")


SCENARIOS: dict[str, Callable[[App, str], None]] = {
    "send, claim, effect, ack": act,
    "send, claim, effect in a thread, ack": act_in_thread,
    "dead letter": bury,
    "poison": fail,
    "ctx.tx": act_in_tx,
    "ctx.tx in a thread": act_in_tx_in_thread,
    "release at SIGTERM": be_stopped,
    "barrier": meet,
    "barrier, ctx.tx": meet_in_tx,
    "ack before the effect": act_after_the_ack,
}


def build() -> App:
    """Make the app of this process from its environment."""
    app = App()
    for queue in os.environ["QUEUES"].split():
        SCENARIOS[os.environ["SCENARIO"]](app, queue)
    return app
