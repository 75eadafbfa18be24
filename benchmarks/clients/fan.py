"""Reads and acks like a consumer until nothing is left: `python -m benchmarks.clients.fan WAY DSN QUEUE BATCH`.

It says "ready" once it is connected, begins with the next line on its standard input, and prints what it did.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from pgqueue import Message, PgQueue
from pgqueue.barrier import settle
from pgqueue.barrier.rules import part_of, result_text
from pgqueue.call import Call
from pgqueue.message import calls

# With the barrier the ack waits for the disk, without it may: so the plain way is shown in both modes.
BARRIER, PLAIN, PLAIN_ASYNC = "barrier", "plain", "plain_async"
WAYS = (BARRIER, PLAIN, PLAIN_ASYNC)
RESULT = {"lines": 42}
EMPTY_READS = 50
PAUSE = 0.005


def ack(way: str, queue: str, messages: Sequence[Message]) -> Call[Any]:
    ids, receipts = [m.msg_id for m in messages], [m.receipt for m in messages]
    if way == BARRIER:
        parts = [part for m in messages if (part := part_of(m.headers)) is not None]
        text = result_text(RESULT)
        return settle.ack_parts(queue, ids, receipts, parts, [text] * len(ids))
    return replace(calls.delete_batch(queue, ids, receipts), may_commit_async=way == PLAIN_ASYNC)


def main() -> None:
    way, dsn, queue, batch = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])
    handled, empty = 0, 0
    with PgQueue(dsn) as client:
        client.peek(queue, qty=1)  # the first call opens the connection
        print("ready", flush=True)
        sys.stdin.readline()
        begin = end = time.monotonic()
        cpu = time.process_time()
        while empty < EMPTY_READS:
            messages = client.read(queue, vt=60, qty=batch)
            if not messages:
                empty += 1
                time.sleep(PAUSE)
                continue
            outcomes = client.run(ack(way, queue, messages))
            handled += sum(outcome == "done" for outcome in outcomes.values())
            end, empty = time.monotonic(), 0
    said = {"messages": handled, "begin": begin, "end": end, "cpu": time.process_time() - cpu}
    print(json.dumps(said), flush=True)


if __name__ == "__main__":
    main()
