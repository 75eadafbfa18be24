"""The bare loop that pgmq's users write: read some, handle one after the other, delete them; one connection."""

from __future__ import annotations

import signal
import sys
import time
from types import FrameType

import orjson
import psycopg

from benchmarks.clients.tally import Tally, concurrency, work_seconds

SECONDS = work_seconds()


def handle(message: object) -> None:  # noqa: ARG001
    if SECONDS:
        time.sleep(SECONDS)


def main() -> None:
    stopped = False

    def stop(_number: int, _frame: FrameType | None) -> None:
        nonlocal stopped
        stopped = True

    signal.signal(signal.SIGTERM, stop)
    tally, batch = Tally(), concurrency()
    with psycopg.connect(sys.argv[1], autocommit=True, prepare_threshold=0) as connection:
        while not stopped:
            rows = connection.execute(
                "select msg_id, read_ct, enqueued_at, vt, message::text from pgmq.read('bench', 30, %s)",
                [batch],
            ).fetchall()
            for row in rows:
                handle(orjson.loads(row[4]))
                tally.hit()
            if rows:
                connection.execute("select pgmq.delete('bench', %s::bigint[])", [[row[0] for row in rows]])
            else:
                time.sleep(0.01)


if __name__ == "__main__":
    main()
