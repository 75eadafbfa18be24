"""Sends from Python for a while and prints what it did: `python -m benchmarks.clients.sender WAY DSN BATCH SECONDS`."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial

import orjson
import psycopg
from psycopg.types.json import Jsonb

from benchmarks.systems import PAYLOAD
from pgqueue import PgQueue

Send = Callable[[list[object]], object]


@contextmanager
def ours(queue: str, dsn: str) -> Iterator[Send]:
    """`client.send_many`, which returns the ids."""
    with PgQueue(dsn) as client:
        yield partial(client.send_many, queue)


@contextmanager
def pgmq_array(dsn: str) -> Iterator[Send]:
    """Psycopg with a jsonb[] parameter into pgmq.send_batch, ids fetched."""
    dumps = partial(Jsonb, dumps=orjson.dumps)
    with psycopg.connect(dsn, autocommit=True, prepare_threshold=0) as connection:

        def send(messages: list[object]) -> object:
            sql = "select * from pgmq.send_batch('bench', %s::jsonb[])"
            return connection.execute(sql, [[dumps(message) for message in messages]]).fetchall()

        yield send


@contextmanager
def floor_array(dsn: str) -> Iterator[Send]:
    """The same parameter into the bare table, ids fetched."""
    dumps = partial(Jsonb, dumps=orjson.dumps)
    with psycopg.connect(dsn, autocommit=True, prepare_threshold=0) as connection:

        def send(messages: list[object]) -> object:
            sql = "insert into bench_floor.messages (message) select unnest(%s::jsonb[]) returning msg_id"
            return connection.execute(sql, [[dumps(message) for message in messages]]).fetchall()

        yield send


@contextmanager
def floor_copy(dsn: str) -> Iterator[Send]:
    """COPY into the bare table: no ids come back."""
    with psycopg.connect(dsn, autocommit=True) as connection:

        def send(messages: list[object]) -> object:
            with connection.cursor().copy("copy bench_floor.messages (message) from stdin") as copy:
                for message in messages:
                    copy.write_row((orjson.dumps(message).decode(),))
            return None

        yield send


WAYS: dict[str, Callable[[str], AbstractContextManager[Send]]] = {
    "log": partial(ours, "bench_log"),
    "row": partial(ours, "bench_row"),
    "pgmq": pgmq_array,
    "floor": floor_array,
    "copy": floor_copy,
}


def main() -> None:
    way, dsn, batch, seconds = sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4])
    message = orjson.loads(PAYLOAD)
    messages: list[object] = [{**message, "trace": f"{place:016x}"} for place in range(batch)]
    with WAYS[way](dsn) as send:
        send(messages)  # the first one opens the connection and prepares
        begin, cpu, sent = time.perf_counter(), time.process_time(), 0
        while time.perf_counter() - begin < seconds:
            send(messages)
            sent += batch
        took, used = time.perf_counter() - begin, time.process_time() - cpu
    print(json.dumps({"messages": sent, "warm_up": batch, "seconds": took, "cpu": used}))


if __name__ == "__main__":
    main()
