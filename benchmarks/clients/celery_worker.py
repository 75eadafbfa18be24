"""Celery by its own API over Redis: `fill` sends, `work` runs its worker until SIGTERM, `left` prints what waits.

Settings for short tasks as its guide to optimising has them: a long prefetch, results ignored, no events and no gossip.
One process: the pool of threads, or the one without any for a single task at a time.
"""

from __future__ import annotations

import json
import sys
import time

from celery import Celery  # type: ignore[import-untyped]

from benchmarks.clients.tally import Tally, concurrency, work_seconds

QUEUE, UNACKED = "celery", "unacked"
PREFETCH = 128


def make_app(url: str) -> Celery:
    app = Celery("bench", broker=url)
    app.conf.update(
        task_ignore_result=True,
        task_store_errors_even_if_ignored=False,
        worker_prefetch_multiplier=PREFETCH,
        worker_disable_rate_limits=True,
        worker_hijack_root_logger=False,
        broker_connection_retry_on_startup=True,
    )
    return app


def fill(url: str, count: int, payload: str) -> None:
    app = make_app(url)
    app.control.purge()
    kwargs = json.loads(payload)["kwargs"]
    with app.producer_pool.acquire(block=True) as producer:
        for _ in range(count):
            app.send_task("noop", kwargs=kwargs, producer=producer)


def left(url: str) -> int:
    """What waits, and what a worker has taken without an ack."""
    with make_app(url).connection_for_read() as connection:
        client = connection.default_channel.client
        return int(client.llen(QUEUE)) + int(client.hlen(UNACKED))


def work(url: str) -> None:
    tally, seconds, threads = Tally(), work_seconds(), concurrency()
    app = make_app(url)

    @app.task(name="noop")  # type: ignore[untyped-decorator]
    def noop(**_given: object) -> None:
        if seconds:
            time.sleep(seconds)
        tally.hit()

    pool = ["--pool", "solo"] if threads == 1 else ["--pool", "threads", "--concurrency", str(threads)]
    quiet = ["--without-gossip", "--without-mingle", "--without-heartbeat", "--loglevel", "ERROR"]
    app.worker_main(["worker", *pool, *quiet])


def main() -> None:
    verb, url, *rest = sys.argv[1:]
    if verb == "fill":
        fill(url, int(rest[0]), rest[1])
    elif verb == "left":
        print(left(url))
    elif verb == "work":
        work(url)


if __name__ == "__main__":
    main()
