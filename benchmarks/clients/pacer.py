"""Sends one message at a time at a steady pace: `pacer DSN QUEUE COUNT A_SECOND`; prints id, begin, commit and return."""

from __future__ import annotations

import json
import sys
import time
from typing import Any

from pgqueue import PgQueue
from pgqueue.db import runner


class Commit:
    """Notes when the answer to the send is in the client: the ring goes out right after it."""

    def __init__(self) -> None:
        self._at: float | None = None
        self._give = runner.give  # type: ignore[attr-defined]

    def give(self, *arguments: Any, **named: Any) -> Any:
        self._at = time.monotonic()
        return self._give(*arguments, **named)

    def take(self, default: float) -> float:
        """The moment noted since the last time; without a ring the end of the call."""
        at, self._at = self._at, None
        return default if at is None else at


def main() -> None:
    dsn, queue, count, pace = sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4])
    commit = Commit()
    runner.give = commit.give  # type: ignore[attr-defined]
    sent = []
    with PgQueue(dsn) as client:
        client.metrics(queue)
        start = time.monotonic()
        for place in range(count):
            time.sleep(max(0.0, start + place / pace - time.monotonic()))
            begin = time.monotonic()
            msg_id = client.send(queue, {"place": place})
            end = time.monotonic()
            sent.append([msg_id, begin, commit.take(end), end])
    print(json.dumps(sent))


if __name__ == "__main__":
    main()
