"""A barrier as a test drives it: arm it, handle its parts, look at what came of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import psycopg
from psycopg.types.json import Jsonb

from tests_integration.fixtures.verbs import Kind, Queue, rows, scalar

CALLBACK = {"queue": "total", "message": {"task": "sum", "args": [], "kwargs": {"of": "x"}}}
FAILURE = {"queue": "total", "message": {"task": "mourn"}}


def part(n: int, queue: str = "parts", **more: Any) -> dict[str, Any]:
    return {"queue": queue, "message": {"n": n}, **more}


class Fan:
    """The verbs of barriers on one connection."""

    def __init__(self, db: psycopg.Connection, kind: Kind) -> None:
        self.db, self.kind = db, kind

    def on(self, db: psycopg.Connection) -> Fan:
        return Fan(db, self.kind)

    def arm(
        self,
        parts: int | Sequence[Any] = 3,
        key: str = "b",
        callback: object = CALLBACK,
        **options: Any,
    ) -> Any:
        given = [part(n) for n in range(parts)] if isinstance(parts, int) else list(parts)
        return scalar(
            self.db,
            "select pgqueue.barrier_arm(%s, %s, %s, %s)",
            key,
            Jsonb(given),
            Jsonb(callback),
            Jsonb(options),
        )

    def read(self, qty: int = 1000, queue: str = "parts", vt: str = "1 hour") -> list[Any]:
        """Claim parts; sorted by their number."""
        found = rows(self.db, "select * from pgqueue.read(%s, vt => %s, qty => %s)", queue, vt, qty)
        return sorted(found, key=lambda message: place(message)[1])

    def ack(
        self,
        messages: Sequence[Any],
        results: Sequence[object] | None = None,
        queue: str = "parts",
        **more: Any,
    ) -> list[Any]:
        """Ack and arrive."""
        return rows(
            self.db,
            "select * from pgqueue.barrier_ack(%s, %s, %s, %s, %s, %s, %s)",
            queue,
            [message.msg_id for message in messages],
            more.get("receipts", [message.receipt for message in messages]),
            [place(message)[0] for message in messages],
            [place(message)[1] for message in messages],
            None if results is None else [None if one is None else Jsonb(one) for one in results],
            more.get("archive", False),
        )

    def bury(self, messages: Sequence[Any], reason: str = "broken", error: str | None = "boom") -> list[Any]:
        """Bury and fail."""
        return rows(
            self.db,
            "select * from pgqueue.barrier_bury('parts', %s, %s, %s, %s, %s, %s)",
            [message.msg_id for message in messages],
            [message.receipt for message in messages],
            [place(message)[0] for message in messages],
            [place(message)[1] for message in messages],
            [reason] * len(messages),
            [error] * len(messages),
        )

    def arrive(self, generation: int, number: int, result: object = None, key: str = "b") -> Any:
        value = None if result is None else Jsonb(result)
        return scalar(
            self.db, "select pgqueue.barrier_arrive(%s, %s, %s, %s)", key, generation, number, value
        )

    def fail(self, generation: int, number: int, error: str | None = "boom", key: str = "b") -> Any:
        return scalar(self.db, "select pgqueue.barrier_fail(%s, %s, %s, %s)", key, generation, number, error)

    def abort(self, key: str = "b", reason: str | None = None) -> Any:
        return scalar(self.db, "select pgqueue.barrier_abort(%s, %s)", key, reason)

    def add(self, generation: int, number: int, parts: Sequence[Any], key: str = "b") -> Any:
        return scalar(
            self.db, "select pgqueue.barrier_add(%s, %s, %s, %s)", key, generation, number, Jsonb(list(parts))
        )

    def look(self, generation: int) -> Any:
        """Return the row of the view `barriers`."""
        (found,) = rows(self.db, "select * from pgqueue.barriers where generation = %s", generation)
        return found

    def counts(self, generation: int) -> tuple[str, int, int, int]:
        """Return state, done, failed, open; and make sure that they are those of the parts."""
        seen = self.look(generation)
        states = [one.state for one in self.parts(generation)]
        if seen.state in ("live", "done"):
            assert (seen.done, seen.failed, seen.open) == tuple(
                states.count(state) for state in ("done", "failed", "open")
            )
        return seen.state, seen.done, seen.failed, seen.open

    def parts(self, generation: int) -> list[Any]:
        return rows(
            self.db, "select * from pgqueue.barrier_part where generation = %s order by part", generation
        )

    def sent(self) -> list[Any]:
        """Return what barriers have sent at their end, dead letters included, by id."""
        return rows(
            self.db,
            "select msg_id, message, headers from pgqueue.messages where queue = 'total'"
            " union all select msg_id, message, headers from pgqueue.dead_letters where queue = 'total' order by 1",
        )

    def missing(self, key: str = "b") -> list[Any]:
        return rows(self.db, "select * from pgqueue.barrier_missing(%s)", key)

    def results(self, generation: int, key: str = "b", after: int = -1, qty: int = 100) -> list[Any]:
        return rows(
            self.db, "select * from pgqueue.barrier_results(%s, %s, %s, %s)", key, generation, after, qty
        )

    def sweep(self) -> list[Any]:
        return rows(self.db, "select * from pgqueue.barrier_sweep()")

    def sweep_all(self, most: int = 100) -> int:
        """Sweep until nothing is due; return how many steps it took."""
        for step in range(most):
            if not self.sweep():
                return step
        raise AssertionError(f"still something due after {most} steps")

    def queue(self, name: str = "parts") -> Queue:
        return Queue(self.db, name, kind=self.kind)


def place(message: Any) -> tuple[int, int]:
    """Return generation and part that the header of a message tells."""
    told = (message.headers or {}).get("pgqueue-part") or {}
    return told.get("generation", 0), told.get("part", 0)
