"""Small things about events and tasks of the loop."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from pgqueue.log import get_logger

log = get_logger("pgqueue.consumer")

Wait = Callable[[asyncio.Event, float], Awaitable[None]]


async def wait_for(event: asyncio.Event, seconds: float) -> None:
    """Return when the event is set, or after so many seconds."""
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return


def failed(task: asyncio.Task[None]) -> bool:
    return task.done() and not task.cancelled() and task.exception() is not None


def say_crashed(task: asyncio.Task[None]) -> None:
    """Log the error that a part of the consumer ended with, if it did."""
    if failed(task):
        log.error("consumer.crashed", part=task.get_name(), exc_info=task.exception())
