"""What comes before the first read: check the app, wait for the database; later keep the settings fresh."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import replace
from typing import NamedTuple

from pgqueue.consumer.loop import Consumer
from pgqueue.consumer.model import QueuePlan, Runner
from pgqueue.consumer.settings import Overrides, make_plan
from pgqueue.errors import (
    ConfigurationError,
    InDoubt,
    PermissionDenied,
    PgQueueError,
    QueueNotFound,
    SchemaMismatch,
    Unavailable,
)
from pgqueue.log import get_logger
from pgqueue.periodic import Trouble
from pgqueue.queue import calls
from pgqueue.queue.rules import check_name
from pgqueue.queue.schema import check_schema
from pgqueue.task.registry import App

log = get_logger("pgqueue.consumer")

REFRESH_SECONDS = 5.0


LARGEST_WEIGHT = 1_000


class Wanted(NamedTuple):
    """A queue to consume, and its share beside the others: with all busy, messages are claimed in proportion."""

    queue: str
    weight: int = 1


def check_queues(words: Iterable[str], *, warn: bool = True) -> list[Wanted]:
    """Read `orders`, `orders:3` and `orders:3,mails`; return each queue once, in the order given.

    An empty name, as a variable that is not set leaves it, is dropped, with a warning unless that was said already.
    Raises: InvalidInput for a bad name, ConfigurationError for a bad weight, for two weights of one queue, and where
    no name is left.
    """
    found: dict[str, Wanted] = {}
    for word in [part.strip() for given in words for part in given.split(",")]:
        if not word:
            if warn:
                log.warning("argument.ignored", argument="QUEUE", why="the name is empty")
            continue
        name, colon, weight = word.partition(":")
        wanted = Wanted(check_name(name), _check_weight(name, weight) if colon else 1)
        before = found.setdefault(name, wanted)
        if before != wanted:
            raise ConfigurationError(
                f"queue {name} is named with weight {before.weight} and with weight {wanted.weight}",
                cure="Name it once.",
            )
    if not found:
        raise ConfigurationError(
            "no queue is named", cure="Name one: pgqueue consume orders --app shop.tasks:app"
        )
    return list(found.values())


def check_app(app: App, queues: Iterable[Wanted]) -> None:
    """Refuse an app that would find every message of a queue unknown."""
    if not app.tasks and not app.plain:
        raise ConfigurationError(
            "the app has no handler: every message would be buried as unknown",
            cure='Register one with @app.task("name", queue="...") in a module that --app imports.',
        )
    for queue, _ in queues:
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
    queues: Sequence[Wanted],
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
            plans = [await _load(runner, wanted, overrides) for wanted in queues]
        except (QueueNotFound, PermissionDenied) as error:
            raise ConfigurationError(error.message, cure=error.cure) from error
        except (Unavailable, InDoubt) as error:
            if fail_fast:
                raise
            delay = trouble.seen()
            if trouble.is_news:
                log.warning("connect.failed", role="consumer", error=str(error), attempt=trouble.failures)
            await pause(delay)
        else:
            for plan in plans:
                _say_paused(plan)
            return plans


async def keep_plans_fresh(
    consumer: Consumer,
    runner: Runner,
    overrides: Overrides,
    pause: Callable[[float], Awaitable[object]] = asyncio.sleep,
) -> None:
    """See changed settings and pauses of the queues within seconds; cancel it at the end.

    One queue whose answer doesn't come keeps the others waiting for the time-out of a call, no longer.
    """
    refused: dict[str, str] = {}
    while True:
        await pause(REFRESH_SECONDS)
        for plan in consumer.plans:
            error = await refresh(consumer, runner, plan, overrides)
            if error and refused.get(plan.queue) != error:  # once, not every few seconds
                log.warning("settings.refused", queue=plan.queue, error=error)
            refused[plan.queue] = error


async def watch_schema(
    runner: Runner, pause: Callable[[float], Awaitable[object]] = asyncio.sleep
) -> SchemaMismatch:
    """Look every few seconds at the schema; return once a newer release has changed it so that this package can't serve it."""
    while True:
        await pause(REFRESH_SECONDS)
        try:
            await runner.run(check_schema())
        except SchemaMismatch as error:
            mismatch = error
        except PgQueueError:
            continue  # no answer: the reads say so
        else:
            continue
        log.error("schema.refused", error=str(mismatch))
        return mismatch


async def refresh(consumer: Consumer, runner: Runner, plan: QueuePlan, overrides: Overrides) -> str:
    """Take over the settings of one queue; what can't be read or used leaves the plan as it is. Return why it can't be used.

    A queue that was dropped, and a database that is away, are no fault of the settings: the reads say so.
    """
    try:
        fresh = await _load(runner, Wanted(plan.queue, plan.weight), overrides)
    except (Unavailable, InDoubt, QueueNotFound):
        return ""
    except PgQueueError as error:
        return str(error)
    if fresh != plan:
        consumer.change_plan(fresh)
    if replace(fresh, paused=plan.paused) != plan:
        log.info("settings.changed", queue=plan.queue, before=repr(plan), after=repr(fresh))
    if fresh.paused is None and plan.paused is not None:
        log.info("queue.resumed", queue=plan.queue)
    elif fresh.paused != plan.paused:
        _say_paused(fresh)
    return ""


async def _load(runner: Runner, wanted: Wanted, overrides: Overrides) -> QueuePlan:
    state = await runner.run(calls.state(wanted.queue))
    return make_plan(wanted.queue, state.settings, overrides, weight=wanted.weight, paused=state.paused)


def _say_paused(plan: QueuePlan) -> None:
    if plan.paused is not None:
        by, why, at, until = plan.paused
        log.warning(
            "queue.paused",
            queue=plan.queue,
            by=by,
            why=why,
            at=str(at),
            until=None if until is None else str(until),
        )


def _check_weight(queue: str, weight: str) -> int:
    if not (
        weight.isascii()
        and weight.isdigit()
        and len(weight) <= len(str(LARGEST_WEIGHT))
        and 1 <= int(weight) <= LARGEST_WEIGHT
    ):
        raise ConfigurationError(
            f"the weight of queue {queue} can't be {weight!a}",
            cure=f"Give a whole number from 1 to {LARGEST_WEIGHT}: {queue}:3 claims thrice as much as a queue of weight 1.",
        )
    return int(weight)
