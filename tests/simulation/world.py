"""One simulated run: some consumers of the real class, queues in memory, and a seed that decides everything else."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from dataclasses import dataclass
from signal import SIGTERM
from typing import Any

from pgqueue import App, Bury, Context, Release
from pgqueue.consumer.loop import Consumer
from pgqueue.consumer.model import Doors, QueuePlan
from pgqueue.consumer.settings import ProcessSettings, make_plan
from pgqueue.queue.model import Backoff, QueueSettings
from tests.simulation.ports import RenewalPort, Transactions, Weather, WorkPort
from tests.simulation.queue_model import QueueModel
from tests.simulation.story import Story
from tests.simulation.virtual_time import VirtualLoop, simulate

QUEUES = ("orders", "mails")
STORMY = 20.0  # seconds in which messages and two consumers come and go; faults happen for twice as long
LONGEST = 200.0  # by then everything must be done
KINDS = ["quick"] * 6 + ["slow", "slow", "tx", "tx", "fails once", "always fails", "bury", "release"]


@dataclass(frozen=True)
class Ended:
    """What a run left: the laws that it broke, and its trace."""

    broken: list[str]
    trace: list[str]
    handled: int
    outcomes: Counter[str]


def play(seed: int) -> Ended:
    """Simulate one seed."""
    return simulate(lambda loop: World(seed, loop).play())


class World:
    def __init__(self, seed: int, loop: VirtualLoop) -> None:
        self._dice = dice = random.Random(seed)
        self._loop, self._now = loop, loop.time
        self._plans = {queue: _plan(queue, dice) for queue in QUEUES[: dice.choice([1, 2])]}
        self._weather = _weather(dice, min(plan.vt for plan in self._plans.values()))
        self._model = QueueModel(self._now, dice)
        most_reads = {queue: plan.max_reads for queue, plan in self._plans.items()}
        self._story = Story(self._model, most_reads, self._weather.is_calm)
        self._consumers: list[Consumer] = []  # kept to the end, with the tasks that they left

    async def play(self) -> Ended:
        sending = asyncio.create_task(self._send())
        first = [asyncio.create_task(self._serve(f"c{n}", self._dice.uniform(1, STORMY))) for n in (1, 2)]
        await asyncio.gather(*first)
        await sending
        await self._serve("last", None)
        story = self._story
        return Ended(story.judge(self._now()), story.trace, sum(story.starts.values()), self._model.outcomes)

    async def _send(self) -> None:
        for _ in range(self._dice.randint(3, 30)):
            queue = self._dice.choice(list(self._plans))
            body = {"kind": self._dice.choice(KINDS), "takes": self._dice.random(), "queue": queue}
            msg_id = self._model.send(queue, body)
            self._story.sent[msg_id] = body
            self._story.say(self._now(), "sender", f"sent {msg_id} {body['kind']}")
            if self._dice.random() < 0.3:
                await asyncio.sleep(self._dice.uniform(0, STORMY / 10))

    async def _serve(self, who: str, until: float | None) -> None:
        """Run a consumer until that time, or until everything is done."""
        settings = ProcessSettings(
            concurrency=self._dice.choice([1, 2, 5]),
            poll=0.1,
            poll_max=1.0,
            grace=self._dice.choice([0.2, 3.0]),
            holder=who,
        )
        sights = (who, self._story, self._weather, self._now)
        doors = Doors(WorkPort(*sights), lambda _: RenewalPort(*sights), Transactions(*sights))
        dice = self._dice
        consumer = Consumer(
            self._app(who), doors, settings, list(self._plans.values()), now=self._now, chance=dice.random
        )
        self._consumers.append(consumer)
        renewing = self._renew_in_virtual_time(consumer)
        running = asyncio.create_task(consumer.run())
        if until is None:
            while self._model.rows and self._now() < LONGEST and not running.done():  # noqa: ASYNC110 - in virtual time
                await asyncio.sleep(0.5)
        else:
            await asyncio.sleep(until)
        told_at = self._now()
        consumer.request_stop(SIGTERM)
        if until is not None and dice.random() < 0.3:
            await asyncio.sleep(dice.uniform(0, 1))
            consumer.request_stop(SIGTERM)
        code = await running
        renewing.cancel()
        self._story.ends(self._now(), who, code, took=self._now() - told_at, grace=settings.grace)

    def _renew_in_virtual_time(self, consumer: Consumer) -> asyncio.Task[None]:
        """Do what the renewal thread does, as a task."""
        renewal = consumer._renewal
        renewal.start = renewal.stop = lambda: None  # type: ignore[method-assign]

        async def renew() -> None:
            while True:
                await asyncio.sleep(min(renewal.wait_seconds(), 1 / 6))  # of the shortest vt
                renewal.renew_due()

        return asyncio.create_task(renew())

    def _app(self, who: str) -> App:
        app, story = App(), self._story

        async def handle(message: dict[str, Any], ctx: Context) -> None:
            lease = (ctx.message.msg_id, ctx.message.receipt)
            story.begins(self._now(), who, lease)
            try:
                await self._work(message, ctx)
            except asyncio.CancelledError:
                story.abandoned[lease[0]] += 1
                raise
            story.succeeded.add(lease)
            story.say(self._now(), who, f"finish {lease[0]}")

        for queue in self._plans:
            app.messages(queue)(handle)
        return app

    async def _work(self, message: dict[str, Any], ctx: Context) -> None:
        kind, takes = message["kind"], message["takes"]
        await asyncio.sleep(takes * (2.5 * self._plans[message["queue"]].vt if kind == "slow" else 0.1))
        if kind == "always fails" or (kind == "fails once" and ctx.attempt == 1):
            raise ValueError("boom")
        if kind == "bury":
            raise Bury("hopeless")
        if kind == "release" and ctx.message.release_ct < 2:
            raise Release
        if kind == "tx":
            async with ctx.tx():
                pass


def _plan(queue: str, dice: random.Random) -> QueuePlan:
    vt = dice.choice([1.0, 2.0, 4.0])
    settings = QueueSettings(
        vt=vt,
        health_stale=3 * vt,
        max_reads=dice.choice([2, 4]),
        backoff=Backoff(0.1, 2.0, 2.0, 0.2),
        batch=dice.choice([1, 3, 100]),
        archive=dice.random() < 0.2,
    )
    return make_plan(queue, settings, {})


def _weather(dice: random.Random, vt: float) -> Weather:
    outages = []
    if dice.random() < 0.3:
        begin = dice.uniform(0, STORMY)
        outages.append((begin, begin + dice.uniform(0.5, STORMY)))
    share = dice.choice([0.0, 0.0, 0.05, 0.3])
    slow = dice.choice([0.0, 0.0, 0.05, 0.3])
    return Weather(dice, share, slow, 2 * vt, tuple(outages), 2 * STORMY)
