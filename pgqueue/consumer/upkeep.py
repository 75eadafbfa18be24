"""Upkeep of the queues that a process consumes, and of what is no queue's: barriers and claims."""

from __future__ import annotations

import asyncio
import itertools
import random
from collections.abc import Awaitable, Callable
from typing import Any

from pgqueue.barrier import calls as barriers
from pgqueue.call import Call
from pgqueue.claim import calls as claims
from pgqueue.consumer.backing_off import Trouble, is_of_the_server
from pgqueue.consumer.loop import Consumer
from pgqueue.consumer.model import Runner
from pgqueue.errors import PgQueueError
from pgqueue.log import get_logger
from pgqueue.queue import calls

log = get_logger("pgqueue.consumer")

UPKEEP_SECONDS = 1.0
SWEEP_SECONDS = 5.0
ROUNDS_TO_FORGET = 12  # old barriers and tombstones go about once a minute
MOST_STEPS = 20


async def keep_queues_small(
    consumer: Consumer,
    runner: Runner,
    pause: Callable[[float], Awaitable[object]] = asyncio.sleep,
    chance: Callable[[], float] = random.random,
) -> None:
    """Take a step of upkeep of each queue about every second; cancel it at the end.

    Nothing waits for it, so a failure is no more than a line in the log: the reads say what is wrong. A server in trouble
    is left alone for longer.
    """
    trouble, longer = Trouble(chance), 0.0
    while True:
        await pause(UPKEEP_SECONDS * (0.75 + chance() / 2) + longer)
        in_trouble = False
        for plan in consumer.plans:
            try:
                await runner.run(calls.maintain(plan.queue))
            except PgQueueError as error:
                in_trouble = in_trouble or is_of_the_server(error)
                log.debug("upkeep.failed", queue=plan.queue, call="queue.maintain", error=str(error))
        longer = trouble.seen() if in_trouble else 0.0
        if not in_trouble:
            trouble.over()


async def keep_barriers_ending(
    runner: Runner,
    pause: Callable[[float], Awaitable[object]] = asyncio.sleep,
    chance: Callable[[], float] = random.random,
) -> None:
    """Look every few seconds for barriers that no part will end, each minute for what is kept no longer; cancel it at the end.

    Each step is bounded and safe beside those of other processes; a round has at most so many, the rest waits for the next.
    """
    trouble, longer = Trouble(chance), 0.0
    for turn in itertools.count(1):
        await pause(SWEEP_SECONDS * (0.75 + chance() / 2) + longer)
        due: list[Call[Any]] = [barriers.sweep()]
        if turn % ROUNDS_TO_FORGET == 0:
            due += [barriers.forget(), claims.forget()]
        in_trouble = [await _repeat(runner, call) for call in due]
        longer = trouble.seen() if any(in_trouble) else 0.0
        if not longer:
            trouble.over()


async def _repeat(runner: Runner, call: Call[Any]) -> bool:
    """Repeat a step while it finds something; tell whether the server is in trouble."""
    try:
        for _ in range(MOST_STEPS):
            if not await runner.run(call):
                return False
    except PgQueueError as error:
        log.debug("upkeep.failed", call=call.name, error=str(error))
        return is_of_the_server(error)
    return False
