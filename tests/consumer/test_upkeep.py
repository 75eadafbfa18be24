"""Upkeep goes on whatever happens to a step of it."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import pytest

from pgqueue.call import Call
from pgqueue.consumer.loop import Consumer
from pgqueue.consumer.upkeep import keep_queues_small
from pgqueue.errors import QueueNotFound, Unavailable

CONSUMER = cast(
    "Consumer", SimpleNamespace(plans=[SimpleNamespace(queue="orders"), SimpleNamespace(queue="mails")])
)


class Steps:
    """A runner and a clock in one: fails the first call, ends after so many pauses."""

    def __init__(self, pauses: int) -> None:
        self.pauses, self.left, self.queues = [], pauses, []  # type: list[float], int, list[str | None]

    async def pause(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.left -= 1
        if self.left < 0:
            raise asyncio.CancelledError

    async def run(self, call: Call[Any]) -> Any:
        assert call.name == "queue.maintain"
        self.queues.append(call.queue)
        if len(self.queues) == 1:
            raise Unavailable("gone")


async def test_each_queue_gets_its_step_also_after_one_that_failed() -> None:
    steps = Steps(pauses=2)
    with pytest.raises(asyncio.CancelledError):
        await keep_queues_small(CONSUMER, steps, steps.pause, chance=lambda: 0.5)
    assert steps.queues == ["orders", "mails", "orders", "mails"]


async def test_processes_do_not_step_in_time() -> None:
    early, late = Steps(pauses=1), Steps(pauses=1)
    for steps, chance in ((early, 0.0), (late, 1.0)):
        with pytest.raises(asyncio.CancelledError):
            await keep_queues_small(CONSUMER, steps, steps.pause, chance=lambda at=chance: at)  # type: ignore[misc]
    assert early.pauses[0] < late.pauses[0]


async def test_a_server_in_trouble_is_left_alone_for_longer_and_longer_until_a_step_succeeds() -> None:
    class Down(Steps):
        async def run(self, call: Call[Any]) -> Any:
            self.queues.append(call.queue)
            if len(self.queues) <= 6:  # three rounds of two queues
                raise Unavailable("down")

    steps = Down(pauses=5)
    with pytest.raises(asyncio.CancelledError):
        await keep_queues_small(CONSUMER, steps, steps.pause, chance=lambda: 0.0)
    assert steps.pauses[:5] == [0.75, 1.25, 1.75, 2.75, 0.75]


async def test_a_queue_that_is_gone_slows_nobody_elses_upkeep_down() -> None:
    class Dropped(Steps):
        async def run(self, call: Call[Any]) -> Any:
            self.queues.append(call.queue)
            if call.queue == "orders":
                raise QueueNotFound("dropped")

    steps = Dropped(pauses=3)
    with pytest.raises(asyncio.CancelledError):
        await keep_queues_small(CONSUMER, steps, steps.pause, chance=lambda: 0.0)
    assert steps.pauses[:3] == [0.75, 0.75, 0.75]
