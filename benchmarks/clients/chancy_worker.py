"""chancy by its own API: `fill` pushes jobs, `work` runs its worker until SIGTERM, `left` prints what isn't done."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import sys

import psycopg
from chancy import Chancy, Job, Queue, Worker  # type: ignore[import-untyped]
from chancy.plugins.leadership import Leadership  # type: ignore[import-untyped]
from chancy.plugins.pruner import Pruner  # type: ignore[import-untyped]
from chancy.plugins.recovery import Recovery  # type: ignore[import-untyped]

from benchmarks.clients.tally import REPORT, Tally, concurrency, work_seconds

QUEUE = "bench"
BATCH = 1000
SECONDS = work_seconds()
tally = Tally() if REPORT in os.environ else None


async def noop(**_given: object) -> None:
    """Chancy looks its handlers up by the name of their module."""
    if SECONDS:
        await asyncio.sleep(SECONDS)
    if tally:
        tally.hit()


async def install(dsn: str) -> None:
    async with Chancy(dsn) as chancy:
        await chancy.migrate()


async def fill(dsn: str, count: int, payload: str) -> None:
    job = Job(func="benchmarks.clients.chancy_worker.noop", kwargs=json.loads(payload)["kwargs"], queue=QUEUE)
    async with Chancy(dsn) as chancy:
        async with chancy.pool.connection() as connection:
            await connection.execute("truncate chancy_jobs")
        async for _ in chancy.push_many([job] * count, batch_size=BATCH):
            pass


def left(dsn: str) -> int:
    with psycopg.connect(dsn) as connection:
        row = connection.execute("select count(*) from chancy_jobs where completed_at is null").fetchone()
        return int(row[0]) if row else 0


async def work(dsn: str) -> None:
    queue = Queue(
        QUEUE,
        concurrency=concurrency(),
        executor=Chancy.Executor.Async,
        eager_polling=True,
        polling_interval=1,
    )
    # Not its default log, which writes lines for each job; of the default plugins those that keep jobs safe.
    log, plugins = logging.getLogger("quiet"), [Leadership(), Recovery(), Pruner()]
    async with Chancy(dsn, log=log, plugins=plugins, no_default_plugins=True) as chancy:
        await chancy.declare(queue, upsert=True)
        async with Worker(chancy) as worker:
            await worker.wait_for_shutdown()


def main() -> None:
    verb, dsn, *rest = sys.argv[1:]
    if verb == "install":
        asyncio.run(install(dsn))
    elif verb == "fill":
        asyncio.run(fill(dsn, int(rest[0]), rest[1]))
    elif verb == "left":
        print(left(dsn))
    else:
        asyncio.run(work(dsn))


if __name__ == "__main__":
    main()
