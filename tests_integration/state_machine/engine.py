"""The SQL surface on one connection, shaped so that its answers can be compared with the model's."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Sequence
from datetime import timedelta
from typing import Any

import psycopg
from psycopg.pq import TransactionStatus
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from tests_integration.fixtures.verbs import Kind
from tests_integration.state_machine.values import Json, Refused

Receipts = Sequence[int | None] | None
Handed = tuple[
    int, int, int | None, Json, Json, int, int, str | None
]  # msg_id, read_ct, receipt, message, ...
HANDED = "msg_id, read_ct, receipt, message, headers, release_ct, priority, group_key"
LIVE = """
select 'live' as place, m.queue, m.msg_id, m.state, m.message, m.headers, m.priority, m.group_key, m.enqueued_at,
       m.vt, m.read_ct, m.release_ct, r.receipt, m.last_read_at, m.holder, m.error,
       null::text as reason, null::timestamptz as ended_at, null::bigint as redriven_as
from pgqueue.messages m left join ({receipts}) r using (queue, msg_id)"""
DEAD = """
select 'dead', d.queue, d.msg_id, null, d.message, d.headers, d.priority, d.group_key, d.enqueued_at, null,
       d.read_ct, d.release_ct, null, d.last_read_at, d.holder, d.error, d.reason, d.died_at, d.redriven_as
from pgqueue.dead_letters d"""
ARCHIVED = """
select 'archive', '{name}', a.msg_id, null, a.message, a.headers, a.priority, a.group_key, a.enqueued_at, null,
       a.read_ct, a.release_ct, null, a.last_read_at, a.holder, a.error, a.outcome, a.archived_at, null
from pgqueue.a_{name} a"""
NO_RECEIPTS = "select null::text as queue, null::bigint as msg_id, null::bigint as receipt where false"
CLAIMED = """
union all
select '{name}', x.msg_id, c.receipt
from (select l.msg_id from pgqueue.l_{name} l union all select m.msg_id from pgqueue.m_{name} m) x
join pgqueue.c_{name} c on x.msg_id between c.lo and c.hi and x.msg_id <> all (coalesce(c.gaps, '{{}}'))"""
NEW_LOG = """
truncate pgqueue.l_{name}, pgqueue.m_{name}, pgqueue.c_{name};
update pgqueue.h_{name} set done = 0, mark = 0, mark_last = 0;
select setval('pgqueue.u_{name}', 0), setval('pgqueue.f_{name}', 0);"""
# What a log does besides, now and then, it decides by its receipts and by random(): the same walk shall do the same.
STEADY = """
create sequence pgqueue_test.receipts;
create or replace function pgqueue.new_receipt(instant timestamptz) returns bigint language sql volatile
as $$ select pg_catalog.hashint8extended(pg_catalog.nextval('pgqueue_test.receipts'), 7) $$"""
METRICS = """
select queue, kind, depth, ready, delayed, in_flight, retrying, approx, dead, oldest_at, last_sent_at, last_msg_id,
       settings
from pgqueue.metrics()"""


def receipts_of(name: str, kind: Kind) -> str:
    """Select (queue, msg_id, receipt) of what waits or runs, wherever the kind keeps it."""
    row_side = f"select '{name}' as queue, r.msg_id, r.receipt from pgqueue.r_{name} r"
    return row_side + (CLAIMED.format(name=name) if kind == "log" else "")


class SqlEngine:
    """Runs each verb through its dispatcher. A refusal is raised as the model's `Refused`."""

    def __init__(self, connection: psycopg.Connection, kind: Kind = "row") -> None:
        self.connection = connection
        self.kind = kind
        self._steady = False

    def steady(self) -> None:
        """Draw the same receipts and the same chances from here on as the last time."""
        if not self._steady:
            self.connection.execute(STEADY)
            self._steady = True
        self.connection.execute("select setval('pgqueue_test.receipts', 1), setseed(0.5)")

    # queues

    def create_queue(self, name: str, settings: dict[str, Json]) -> None:
        self._value("select pgqueue.create_queue(%s, %s, %s)", name, self.kind, Jsonb(settings))

    def drop_queue(self, name: str, *, force: bool) -> Any:
        return self._value("select pgqueue.drop_queue(%s, %s)", name, force)

    def purge_queue(self, name: str) -> Any:
        return self._value("select pgqueue.purge_queue(%s)", name)

    def configure_queue(self, name: str, settings: dict[str, Json]) -> Any:
        return self._value("select pgqueue.configure_queue(%s, %s)", name, Jsonb(settings))

    # producers

    def send(
        self, name: str, message: Json, delay: timedelta, key: str | None, group: str | None, priority: int
    ) -> Any:
        return self._value(
            "select pgqueue.send(%s, %s, delay => %s, key => %s, group_key => %s, priority => %s)",
            name, Jsonb(message), delay, key, group, priority,
        )  # fmt: skip

    def send_batch(
        self,
        name: str,
        messages: Sequence[Json],
        *,
        delay: timedelta,
        keys: Sequence[str | None] | None,
        group_keys: Sequence[str | None] | None,
        priority: int,
    ) -> list[int]:
        rows = self._rows(
            "select * from pgqueue.send_batch(%s, %s::jsonb[], delay => %s, keys => %s, group_keys => %s, priority => %s)",
            name, [Jsonb(message) for message in messages], delay, keys, group_keys, priority,
        )  # fmt: skip
        return [row[0] for row in rows]

    def redrive(self, name: str, msg_ids: Sequence[int] | None) -> list[tuple[int, int]]:
        return self._rows("select old_id, new_id from pgqueue.redrive(%s, %s)", name, msg_ids)

    # consumers

    def read(
        self, name: str, vt: timedelta | None, qty: int, filter_: Json, holder: str | None
    ) -> list[Handed]:
        return self._rows(
            f"select {HANDED} from pgqueue.read(%s, vt => %s, qty => %s, filter => %s, holder => %s)",
            name, vt, qty, None if filter_ is None else Jsonb(filter_), holder,
        )  # fmt: skip

    def pop(self, name: str, qty: int) -> list[Handed]:
        return self._rows(f"select {HANDED} from pgqueue.pop(%s, %s)", name, qty)

    def peek(self, name: str, state: str | None, after_id: int, qty: int) -> list[int]:
        return [
            row[0]
            for row in self._rows(
                "select msg_id from pgqueue.peek(%s, %s, %s, %s)", name, state, after_id, qty
            )
        ]

    def settle_one(self, verb: str, name: str, msg_id: int, receipt: int | None, **more: object) -> Any:
        """Run delete, archive, set_vt, retry, release or bury on one message; `more` are its other arguments."""
        others = "".join(f", {argument} => %s" for argument in more)
        return self._value(
            f"select pgqueue.{verb}(%s, %s, receipt => %s{others})", name, msg_id, receipt, *more.values()
        )

    def settle_batch(
        self, verb: str, name: str, ids: Sequence[int], receipts: Receipts, **more: object
    ) -> dict[int, str]:
        others = "".join(f", {argument} => %s" for argument in more)
        rows = self._rows(
            f"select msg_id, outcome from pgqueue.{verb}_batch(%s, %s, receipts => %s{others})",
            name, ids, receipts, *more.values(),
        )  # fmt: skip
        outcomes: dict[int, str] = dict(rows)
        assert len(outcomes) == len(rows), f"{verb}_batch answers an id twice: {rows}"
        return outcomes

    # transactions

    def enter(self, depth: int) -> None:
        """Begin a transaction, or inside of one a savepoint."""
        self.connection.execute("begin" if depth == 0 else f"savepoint s{depth}")

    def leave(self, depth: int, *, keep: bool) -> None:
        if depth == 0:
            self.connection.execute("commit" if keep else "rollback")
        elif keep:
            self.connection.execute(f"release savepoint s{depth}")
        else:
            self.connection.execute(f"rollback to savepoint s{depth}; release savepoint s{depth}")

    @property
    def in_transaction(self) -> bool:
        return self.connection.info.transaction_status is TransactionStatus.INTRANS

    # what is to be compared after each step

    def rows(self, names: Iterable[str]) -> list[dict[str, Json]]:
        names = sorted(names)
        receipts = [receipts_of(name, self.kind) for name in names]
        parts = [LIVE.format(receipts=" union all ".join(receipts) or NO_RECEIPTS), DEAD]
        parts += [ARCHIVED.format(name=name) for name in names]
        with self.connection.cursor(row_factory=dict_row) as cursor:
            return cursor.execute(" union all ".join(parts) + " order by place, queue, msg_id").fetchall()

    def dead_ids(self, name: str) -> set[int]:
        """Return the dead letters of a queue, none where there is no such queue."""
        query = "select msg_id from pgqueue.dead_letters where queue = %s"
        return {row[0] for row in self.connection.execute(query, [name]).fetchall()}

    def metrics(self) -> dict[str, dict[str, Json]]:
        with self.connection.cursor(row_factory=dict_row) as cursor:
            return {row.pop("queue"): row for row in cursor.execute(METRICS).fetchall()}

    def reset(self, names: Iterable[str], settings: dict[str, Json]) -> None:
        """Make the queues as new, without their marks; one with other settings is dropped, which is slower."""
        kept = self.connection.execute(
            "select queue from pgqueue.queue where queue = any (%s) and settings = %s",
            [list(names), Jsonb(settings)],
        ).fetchall()
        for name in names:
            if (name,) in kept:
                tables = "".join(f"delete from pgqueue.{table}_{name}; " for table in "rkad")
                tables += NEW_LOG.format(name=name) if self.kind == "log" else ""
                self.connection.execute(f"{tables} select setval('pgqueue.s_{name}', 1, false)")
            else:
                self.connection.execute("select pgqueue.drop_queue(%s, force => true)", [name])
        self.connection.execute("delete from pgqueue.dropped_queue")

    def _rows(self, query: str, *parameters: object) -> list[Any]:
        with self._refusals():
            return self.connection.execute(query.encode(), parameters).fetchall()

    def _value(self, query: str, *parameters: object) -> Any:
        return self._rows(query, *parameters)[0][0]

    @contextlib.contextmanager
    def _refusals(self) -> Iterator[None]:
        """Inside a transaction a refusal is caught by a savepoint, as a careful caller would."""
        guard = self.connection.transaction() if self.in_transaction else contextlib.nullcontext()
        try:
            with guard:
                yield
        except psycopg.Error as error:
            if error.sqlstate is None or not error.sqlstate.startswith("PQ"):
                raise
            raise Refused(error.sqlstate) from error
