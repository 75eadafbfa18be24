"""procrastinate by its own API: `fill` defers, `work` runs its worker until SIGTERM, `left` prints what waits."""

from __future__ import annotations

import asyncio
import json
import sys

from procrastinate import App, PsycopgConnector

from benchmarks.clients.tally import Tally, concurrency, work_seconds

BATCH = 500


def make_app(dsn: str) -> App:
    return App(connector=PsycopgConnector(conninfo=dsn))


async def install(dsn: str) -> None:
    async with make_app(dsn).open_async() as app:
        await app.schema_manager.apply_schema_async()


async def fill(dsn: str, count: int, payload: str) -> None:
    app = make_app(dsn)
    kwargs = json.loads(payload)["kwargs"]

    @app.task(name="noop")
    async def noop(**_given: object) -> None: ...

    async with app.open_async():
        for left in range(count, 0, -BATCH):
            await noop.batch_defer_async(*[kwargs] * min(left, BATCH))


async def left(dsn: str) -> int:
    async with make_app(dsn).open_async() as app:
        waiting = [await app.job_manager.list_jobs_async(status=status) for status in ("todo", "doing")]
        return sum(len(list(jobs)) for jobs in waiting)


async def work(dsn: str) -> None:
    tally, seconds = Tally(), work_seconds()
    app = make_app(dsn)

    @app.task(name="noop")
    async def noop(**_given: object) -> None:
        if seconds:
            await asyncio.sleep(seconds)
        tally.hit()

    async with app.open_async():
        await app.run_worker_async(concurrency=concurrency(), delete_jobs="successful")


def main() -> None:
    verb, dsn, *rest = sys.argv[1:]
    if verb == "install":
        asyncio.run(install(dsn))
    elif verb == "fill":
        asyncio.run(fill(dsn, int(rest[0]), rest[1]))
    elif verb == "left":
        print(asyncio.run(left(dsn)))
    else:
        asyncio.run(work(dsn))


if __name__ == "__main__":
    main()
