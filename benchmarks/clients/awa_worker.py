"""awa by its own API: `fill` copies jobs in, `work` runs its worker until SIGTERM, `left` prints what isn't done."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from dataclasses import dataclass

import awa
import psycopg

from benchmarks.clients.tally import Tally, concurrency, work_seconds
from benchmarks.clients.url import url_of

QUEUE = "bench"
BATCH = 1000
DRAIN_MS = 10_000
# What its docs ask for: four connections a queue and twenty; claims of hot queues in large batches.
CONNECTIONS, CLAIM_BATCH = 24, 512


@dataclass
class Noop:
    org: str
    order_id: int
    currency: str
    amount: int
    note: str


async def install(dsn: str) -> None:
    client = awa.AsyncClient(url_of(dsn))
    await client.migrate()
    await client.install_queue_storage()


async def fill(dsn: str, count: int, payload: str) -> None:
    client = awa.AsyncClient(url_of(dsn))
    await client.install_queue_storage(reset=True)
    job = Noop(**json.loads(payload)["kwargs"])
    for left in range(count, 0, -BATCH):
        await client.enqueue_many_copy([job] * min(left, BATCH), queue=QUEUE)


def left(dsn: str) -> int:
    with psycopg.connect(dsn) as connection:
        row = connection.execute("select count(*) from awa.jobs where finalized_at is null").fetchone()
        return int(row[0]) if row else 0


async def work(dsn: str) -> None:
    tally, seconds = Tally(), work_seconds()
    client = awa.AsyncClient(url_of(dsn), max_connections=CONNECTIONS)

    @client.task(Noop, queue=QUEUE)
    async def noop(job: object) -> None:  # noqa: ARG001
        if seconds:
            await asyncio.sleep(seconds)
        tally.hit()

    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    await client.start([{"name": QUEUE, "max_workers": concurrency(), "claim_batch_size": CLAIM_BATCH}])
    await stop.wait()
    await client.shutdown(timeout_ms=DRAIN_MS)


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
