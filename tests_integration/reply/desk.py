"""Requests and chains as a test drives them, by SQL."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import psycopg
from psycopg.types.json import Jsonb

from tests_integration.fixtures.verbs import Kind, Queue, rows, scalar

MAIL = {"queue": "mails", "message": {"task": "mail", "args": [], "kwargs": {"to": "x"}}}
ALARM = {"queue": "alarms", "message": {"task": "alarm"}}


class Desk:
    """The verbs of replies and chains on one connection."""

    def __init__(self, db: psycopg.Connection, kind: Kind) -> None:
        self.db, self.kind = db, kind

    def queue(self, name: str = "orders") -> Queue:
        return Queue(self.db, name, kind=self.kind)

    def chain(self, **given: Any) -> Any:
        names = ("on_success", "on_error", "headers")
        return scalar(
            self.db,
            "select pgqueue.chain(%s, %s, %s)",
            *[None if given.get(name) is None else Jsonb(given[name]) for name in names],
        )

    def request(self, message: object = 1, ttl: str = "1 hour", **more: Any) -> Any:
        (found,) = rows(
            self.db,
            "select * from pgqueue.request('orders', %s, ttl => %s, headers => %s, key => %s)",
            Jsonb(message),
            ttl,
            None if more.get("headers") is None else Jsonb(more["headers"]),
            more.get("key"),
        )
        return found

    def send(self, **chained: Any) -> int:
        headers = self.chain(**chained)
        return self.queue().send(1, **({} if headers is None else {"headers": headers}))

    def read(self, queue: str = "orders", qty: int = 100) -> list[Any]:
        return self.queue(queue).read(vt="1 hour", qty=qty)

    def ack(self, messages: Sequence[Any], results: Sequence[object] | None = None, **more: Any) -> list[Any]:
        return rows(
            self.db,
            "select * from pgqueue.ack_with('orders', %s, %s, %s, %s)",
            [message.msg_id for message in messages],
            more.get("receipts", [message.receipt for message in messages]),
            None if results is None else [None if one is None else Jsonb(one) for one in results],
            more.get("archive", False),
        )

    def reply(self, reply_id: object, *, look: bool = True) -> Any:
        (found,) = rows(self.db, "select * from pgqueue.get_reply(%s, %s)", reply_id, look)
        return found

    def sent(self, queue: str) -> list[tuple[Any, Any]]:
        """Return (message, headers) of what waits in a queue, by id."""
        return [
            tuple(row)
            for row in rows(self.db, f"select message, headers from pgqueue.q_{queue} order by msg_id")
        ]

    def dead(self) -> list[Any]:
        return self.queue().dead()
