"""The bare loop that pgmq's users write: read 100, do nothing, delete them; one connection, no concurrency."""

from __future__ import annotations

import signal
import sys
import time
from types import FrameType

import orjson
import psycopg

from benchmarks.clients.tally import Tally

BATCH = 100


def noop(message: object) -> None:
    """Do nothing with a decoded message."""


def main() -> None:
    stopped = False

    def stop(_number: int, _frame: FrameType | None) -> None:
        nonlocal stopped
        stopped = True

    signal.signal(signal.SIGTERM, stop)
    tally = Tally()
    with psycopg.connect(sys.argv[1], autocommit=True, prepare_threshold=0) as connection:
        while not stopped:
            rows = connection.execute(
                "select msg_id, read_ct, enqueued_at, vt, message::text from pgmq.read('bench', 30, %s)",
                [BATCH],
            ).fetchall()
            for row in rows:
                noop(orjson.loads(row[4]))
                tally.hit()
            if rows:
                connection.execute("select pgmq.delete('bench', %s::bigint[])", [[row[0] for row in rows]])
            else:
                time.sleep(0.01)


if __name__ == "__main__":
    main()
