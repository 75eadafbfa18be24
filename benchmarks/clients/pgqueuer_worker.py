"""pgqueuer by its own API: `fill` enqueues, `work` runs its worker until SIGTERM, `left` prints what is queued.

Its batch size is the concurrency: it puts no limit on the jobs that run at once, and one would cost it a query.
"""

from __future__ import annotations

import asyncio
import signal
import sys

import asyncpg  # type: ignore[import-untyped]
from pgqueuer import PgQueuer
from pgqueuer.db import AsyncpgDriver
from pgqueuer.models import Job
from pgqueuer.queries import Queries
from psycopg.conninfo import conninfo_to_dict

from benchmarks.clients.tally import Tally, concurrency, work_seconds

BATCH = 1000


async def connect(dsn: str) -> asyncpg.Connection:
    parts = conninfo_to_dict(dsn)
    return await asyncpg.connect(
        host=parts["host"],
        port=int(str(parts["port"])),
        user=parts["user"],
        database=parts["dbname"],
        passfile=parts.get("passfile"),
        password=parts.get("password"),
    )


async def install(dsn: str) -> None:
    await Queries(AsyncpgDriver(await connect(dsn))).install()


async def fill(dsn: str, count: int, payload: bytes) -> None:
    queries = Queries(AsyncpgDriver(await connect(dsn)))
    await queries.clear_queue()
    await queries.clear_queue_log()
    for left in range(count, 0, -BATCH):
        size = min(left, BATCH)
        await queries.enqueue(["noop"] * size, [payload] * size, [0] * size)


async def left(dsn: str) -> int:
    queries = Queries(AsyncpgDriver(await connect(dsn)))
    return sum(each.count for each in await queries.queue_size())


async def work(dsn: str) -> None:
    tally, seconds = Tally(), work_seconds()
    worker = PgQueuer(AsyncpgDriver(await connect(dsn)))

    @worker.entrypoint("noop")
    async def noop(job: Job) -> None:  # noqa: ARG001
        if seconds:
            await asyncio.sleep(seconds)
        tally.hit()

    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, worker.shutdown.set)
    await worker.run(batch_size=concurrency())


def main() -> None:
    verb, dsn, *rest = sys.argv[1:]
    if verb == "install":
        asyncio.run(install(dsn))
    elif verb == "fill":
        asyncio.run(fill(dsn, int(rest[0]), rest[1].encode()))
    elif verb == "left":
        print(asyncio.run(left(dsn)))
    else:
        asyncio.run(work(dsn))


if __name__ == "__main__":
    main()
