"""Upkeep goes on whatever happens to a step of it."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import pytest

from pgqueue.call import Call
from pgqueue.consumer.loop import Consumer
from pgqueue.consumer.upkeep import keep_queues_small
from pgqueue.errors import Unavailable

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
