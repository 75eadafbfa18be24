"""What comes before the first read: check the app, wait for the database; later keep the settings fresh."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence

from pgqueue.consumer.backing_off import Trouble
from pgqueue.consumer.loop import Consumer
from pgqueue.consumer.model import QueuePlan, Runner
from pgqueue.consumer.settings import Overrides, make_plan
from pgqueue.errors import ConfigurationError, InDoubt, PgQueueError, QueueNotFound, Unavailable
from pgqueue.log import get_logger
from pgqueue.queue import calls
from pgqueue.queue.rules import check_name
from pgqueue.queue.schema import check_schema
from pgqueue.task.registry import App

log = get_logger("pgqueue.consumer")

REFRESH_SECONDS = 5.0


def check_queues(queues: Sequence[str]) -> list[str]:
    """Return the queues to consume, each once, in the order given."""
    return [check_name(queue) for queue in dict.fromkeys(queues)]


def check_app(app: App, queues: Sequence[str]) -> None:
    """Refuse an app that would find every message of a queue unknown."""
    if not app.tasks and not app.plain:
        raise ConfigurationError(
            "the app has no handler: every message would be buried as unknown",
            cure='Register one with @app.task("name", queue="...") in a module that --app imports.',
        )
    for queue in queues:
        if not app.serves(queue):
            raise ConfigurationError(
                f"the app has no handler for queue {queue}; registered are {describe(app)}",
                cure="Consume the queue of one of them, or import the module that registers the missing one.",
            )


def describe(app: App) -> str:
    """List what is registered, for errors and the log."""
    tasks = [f"{name} ({task.queue})" for name, task in sorted(app.tasks.items())]
    return ", ".join([*tasks, *(f"plain messages ({queue})" for queue in sorted(app.plain))])


async def load_plans(
    runner: Runner,
    queues: Sequence[str],
    overrides: Overrides,
    *,
    fail_fast: bool = False,
    pause: Callable[[float], Awaitable[object]] = asyncio.sleep,
    chance: Callable[[], float] = random.random,
) -> list[QueuePlan]:
    """Check the schema and read the queues' settings; wait while the database can't be reached, unless told to fail fast."""
    trouble = Trouble(chance)
    while True:
        try:
            await runner.run(check_schema())
            return [make_plan(queue, await runner.run(calls.settings(queue)), overrides) for queue in queues]
        except QueueNotFound as error:
            raise ConfigurationError(error.message, cure=error.cure) from error
        except (Unavailable, InDoubt) as error:
            if fail_fast:
                raise
            delay = trouble.seen()
            if trouble.is_news:
                log.warning("connect.failed", role="consumer", error=str(error), attempt=trouble.failures)
            await pause(delay)


async def keep_plans_fresh(
    consumer: Consumer,
    runner: Runner,
    overrides: Overrides,
    pause: Callable[[float], Awaitable[object]] = asyncio.sleep,
) -> None:
    """See changed settings of the queues within seconds; cancel it at the end."""
    while True:
        await pause(REFRESH_SECONDS)
        for plan in consumer.plans:
            await refresh(consumer, runner, plan, overrides)


async def refresh(consumer: Consumer, runner: Runner, plan: QueuePlan, overrides: Overrides) -> None:
    """Take over the settings of one queue; what can't be read or used leaves the plan as it is."""
    try:
        fresh = make_plan(plan.queue, await runner.run(calls.settings(plan.queue)), overrides)
    except (Unavailable, InDoubt):
        return  # the read that fails too says so
    except PgQueueError as error:
        log.warning("settings.refused", queue=plan.queue, error=str(error))
        return
    if fresh != plan:
        consumer.change_plan(fresh)
        log.info("settings.changed", queue=plan.queue, before=repr(plan), after=repr(fresh))
