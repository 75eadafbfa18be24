"""The process that consumes: alone, or as a worker that a supervisor started."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NoReturn

from pgqueue.cli.maintaining import keep_maintained
from pgqueue.client.aio import AsyncPgQueue
from pgqueue.client.doors import listening_door, work_door
from pgqueue.client.sync import PgQueue
from pgqueue.consumer import settings, start
from pgqueue.consumer.awaiting import say_crashed
from pgqueue.consumer.forked import watch_forks
from pgqueue.consumer.loop import Consumer
from pgqueue.consumer.model import Doors, QueuePlan
from pgqueue.consumer.settings import Overrides, ProcessSettings
from pgqueue.consumer.start import Wanted
from pgqueue.consumer.turns import work_connections
from pgqueue.consumer.upkeep import keep_queues_small
from pgqueue.consumer.watchdog import Watchdog
from pgqueue.db.listener import Listener
from pgqueue.db.transaction import Transactions
from pgqueue.log import get_logger
from pgqueue.reaper.loop import MOST_CONNECTIONS
from pgqueue.task.registry import App

LAST_WORD_SECONDS = 4.5  # of the reaper: its last step, and to give its lease back
PATIENCE_OVER_GRACE = 7.0  # for a worker whose supervisor is gone: to settle, and to close what is open


@dataclass(frozen=True, slots=True)
class Work:
    """What the command line asked for. Without a `watchdog` there is no supervisor."""

    app: App
    queues: list[Wanted]
    process: ProcessSettings
    overrides: Overrides
    dsn: str | None
    fail_fast: bool
    listen: bool
    maintain: bool = True
    watchdog: Watchdog | None = None


async def consume(work: Work) -> int:
    """Open the doors, consume, and close them; an exit code other than 0 ends the process here."""
    watch_forks()
    client = AsyncPgQueue(
        work.dsn,
        role="consume",
        call_timeout=work.process.call_timeout,
        max_connections=work_connections(len(work.queues)),
    )
    transactions = Transactions(work_door(work.dsn, os.environ, "handler"), work.process.concurrency)
    doors = Doors(
        client,
        lambda timeout: PgQueue(work.dsn, role="renewal", max_connections=1, call_timeout=timeout),
        transactions,
        Listener(listening_door(work.dsn, os.environ), client.run) if work.listen else None,
    )
    try:
        code = await _serve(work, doors)
    finally:
        await client.close()
        await transactions.close()
    if code:
        leave(code)
    return code


async def _serve(work: Work, doors: Doors) -> int:
    """Wait for the database, then consume until a signal comes."""
    stop = _Stop()
    stop.listen()
    _watch(work, stop.on_orphaned, stop.on_orphaned)
    loading = asyncio.create_task(
        start.load_plans(doors.work, work.queues, work.overrides, fail_fast=work.fail_fast)
    )
    plans = await stop.unless_stopped(loading)
    if plans is None:
        return 0
    report = work.watchdog.report if work.watchdog else None
    consumer = Consumer(work.app, doors, work.process, plans, report=report)
    stop.tell(consumer.request_stop)
    _watch(work, consumer.drain, stop.on_orphaned)
    _log_start(work, plans)
    chores = [
        asyncio.create_task(start.keep_plans_fresh(consumer, doors.work, work.overrides), name="settings"),
        asyncio.create_task(keep_queues_small(consumer, doors.work), name="upkeep"),
    ]
    if work.maintain:
        chores.append(asyncio.create_task(keep_maintained(work.dsn, work.process.holder), name="reaper"))
    for chore in chores:
        chore.add_done_callback(say_crashed)  # and go on: no message waits for them
    schema = asyncio.create_task(start.watch_schema(doors.work))
    schema.add_done_callback(lambda _: consumer.drain())
    try:
        code = await consumer.run()
    finally:
        for task in [schema, *chores]:
            task.cancel()
        # The reaper gives its lease back; what waits for a server that doesn't answer must not keep the process.
        _, hanging = await asyncio.wait([schema, *chores], timeout=LAST_WORD_SECONDS)
    if hanging:
        leave(code)
    if schema.done() and not schema.cancelled():
        raise schema.result()
    return code


def _watch(work: Work, drain: Callable[[], None], orphaned: Callable[[], None]) -> None:
    if work.watchdog is not None:
        patience = work.process.grace + PATIENCE_OVER_GRACE
        loop = asyncio.get_running_loop()
        work.watchdog.serve(loop, drain=drain, orphaned=orphaned, patience=patience)


class _Stop:
    """Turns SIGTERM and SIGINT into requests to stop, from before the first connection on."""

    def __init__(self) -> None:
        self._early = asyncio.Event()
        self._signal: signal.Signals | None = None
        self._request: Any = None

    def listen(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._received, number)

    def tell(self, request: Any) -> None:
        """Pass signals on from now on, also one that has come already."""
        self._request = request
        if self._signal is not None:
            request(self._signal)

    async def unless_stopped(self, task: asyncio.Task[list[QueuePlan]]) -> list[QueuePlan] | None:
        """Return the result of the task, or None when a signal comes first."""
        early = asyncio.create_task(self._early.wait())
        await asyncio.wait({task, early}, return_when=asyncio.FIRST_COMPLETED)
        early.cancel()
        if task.done():
            return task.result()
        task.cancel()
        return None

    def on_orphaned(self) -> None:
        """Stop as on SIGTERM: the supervisor is gone."""
        self._received(signal.SIGTERM)

    def _received(self, number: signal.Signals) -> None:
        self._signal = number
        self._early.set()
        if self._request is not None:
            self._request(number)


def _log_start(work: Work, plans: list[QueuePlan]) -> None:
    process = work.process
    get_logger("pgqueue.consumer").info(
        "consumer.started",
        queues={plan.queue: settings.sources(plan, work.overrides) for plan in plans},
        registered=start.describe(work.app),
        concurrency=process.concurrency,
        poll=process.poll,
        poll_max=process.poll_max,
        grace=process.grace,
        holder=process.holder,
        listen=work.listen,
        maintain=work.maintain,
        most_connections=_most_connections(work),
    )


def _most_connections(work: Work) -> int:
    """Count those for calls, renewals, wake-ups, two of each handler, and the reaper's."""
    reaper = MOST_CONNECTIONS if work.maintain else 0
    return work_connections(len(work.queues)) + 1 + work.listen + 2 * work.process.concurrency + reaper


def leave(code: int) -> NoReturn:
    """End at once: a handler may still run, in a thread of ours or its own, whose message others may have by now."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
