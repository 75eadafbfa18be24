"""The process that maintains a database: `pgqueue maintain`, and a part of every `pgqueue consume`."""

from __future__ import annotations

import asyncio
import random
import signal

from pgqueue.cli.naming import holder
from pgqueue.client.aio import AsyncPgQueue
from pgqueue.consumer.start import watch_schema
from pgqueue.errors import InDoubt, Unavailable
from pgqueue.leadership.model import Terms
from pgqueue.log import get_logger
from pgqueue.periodic import Trouble
from pgqueue.queue.schema import check_schema
from pgqueue.reaper.chores import CHORES
from pgqueue.reaper.loop import MOST_CONNECTIONS, Reaper
from pgqueue.reaper.model import Report

log = get_logger("pgqueue.reaper")

CALL_TIMEOUT = 10.0


async def keep_maintained(dsn: str | None, name: str, terms: Terms | None = None) -> None:
    """Maintain the database while no other process does, until this is cancelled; then give the lease back."""
    async with _open(dsn) as client:
        await Reaper(client, name, CHORES, terms).run()


async def maintain(dsn: str | None, terms: Terms, *, fail_fast: bool) -> int:
    """Maintain until a signal comes; return 0, after a second signal 128 + its number. Raises: SchemaMismatch, Unavailable."""
    signals: list[int] = []
    task = asyncio.create_task(_maintain(dsn, terms, fail_fast=fail_fast))

    def stop(number: int) -> None:
        signals.append(number)
        task.cancel()

    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop, number)
    try:
        await task
    except asyncio.CancelledError:
        log.info("reaper.stopped")
    return 128 + signals[-1] if len(signals) > 1 else 0


async def maintain_once(dsn: str | None, terms: Terms) -> list[Report] | None:
    """Run each chore that is due; None when another process leads. Raises: as the client."""
    async with _open(dsn) as client:
        await client.run(check_schema())
        return await Reaper(client, holder(), CHORES, terms).once()


async def _maintain(dsn: str | None, terms: Terms, *, fail_fast: bool) -> None:
    name = holder()
    async with _open(dsn, more=1) as client:
        await _reach(client, fail_fast=fail_fast)
        every = {chore.name: chore.every for chore in CHORES}
        log.info("reaper.started", holder=name, lease=terms.lease, interval=terms.interval, chores=every)
        sweeping = asyncio.create_task(Reaper(client, name, CHORES, terms).run())
        watching = asyncio.create_task(watch_schema(client))
        try:
            await asyncio.wait({sweeping, watching}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (sweeping, watching):
                task.cancel()
            await asyncio.wait({sweeping, watching})
        if not watching.cancelled():
            raise watching.result()
        await sweeping


async def _reach(client: AsyncPgQueue, *, fail_fast: bool) -> None:
    """Return when the database is there with a schema that fits."""
    trouble = Trouble(random.random)
    while True:
        try:
            await client.run(check_schema())
        except (Unavailable, InDoubt) as error:
            if fail_fast:
                raise
            wait = trouble.seen()
            if trouble.is_news:
                log.warning("connect.failed", role="reaper", error=str(error), attempt=trouble.failures)
            await asyncio.sleep(wait)
        else:
            return


def _open(dsn: str | None, more: int = 0) -> AsyncPgQueue:
    return AsyncPgQueue(
        dsn, role="reaper", call_timeout=CALL_TIMEOUT, max_connections=MOST_CONNECTIONS + more
    )
