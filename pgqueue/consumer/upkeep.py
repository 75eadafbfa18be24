"""Upkeep of the queues that a process consumes: oftener than the reaper does it for all."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable

from pgqueue.consumer.loop import Consumer
from pgqueue.consumer.model import Runner
from pgqueue.errors import PgQueueError
from pgqueue.log import get_logger
from pgqueue.periodic import Trouble, is_of_the_server
from pgqueue.queue import calls

log = get_logger("pgqueue.consumer")

UPKEEP_SECONDS = 1.0


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
