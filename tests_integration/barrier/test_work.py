"""What a barrier costs, in rows touched and not in time: the same for each part, however many there are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import psycopg
import pytest
from psycopg.types.json import Jsonb

from tests_integration.barrier.fan import CALLBACK, Fan
from tests_integration.fixtures.verbs import rows, scalar

PARTS = 100_000
BATCH = 1_000

COUNTERS = """
select sum(case c.relkind when 'r' then pg_stat_get_xact_tuples_returned(c.oid)
                          when 'i' then pg_stat_get_xact_tuples_fetched(c.oid) end)::bigint,
       sum(case c.relkind when 'i' then pg_stat_get_xact_tuples_returned(c.oid) end)::bigint,
       sum(case when c.relname = 'barrier' then pg_stat_get_xact_tuples_updated(c.oid) end)::bigint
from pg_class c where c.relnamespace = 'pgqueue'::regnamespace and c.relname ~ '^(ix_)?barrier'"""


@dataclass(frozen=True)
class Work:
    fetched: int
    entries: int
    barrier_writes: int


class Measured:
    """Counts what one transaction touches in the tables of barriers."""

    def __init__(self, db: psycopg.Connection) -> None:
        self._db = db

    def __enter__(self) -> Self:
        self._db.execute("begin")
        self._before = self._look()
        return self

    def __exit__(self, *_: object) -> None:
        after = self._look()
        self._db.execute("commit")
        self.work = Work(*(b - a for a, b in zip(self._before, after, strict=True)))

    def _look(self) -> tuple[int, ...]:
        row = self._db.execute(COUNTERS).fetchone()
        assert row is not None
        return row


@pytest.mark.timeout(300)
@pytest.mark.slow
def test_hundred_thousand_parts_cost_the_same_each(fan: Fan) -> None:
    with Measured(fan.db) as arming:
        generation = scalar(
            fan.db,
            """select pgqueue.barrier_arm('b', (select jsonb_agg(jsonb_build_object('queue', 'parts', 'message', n))
               from generate_series(1, %s) n), %s)""",
            PARTS,
            Jsonb(CALLBACK),
        )
    assert arming.work.fetched <= 100
    worst = Work(0, 0, 0)
    for n in range(PARTS // BATCH):
        messages = fan.read()
        assert len(messages) == BATCH
        with Measured(fan.db) as acking:
            fan.ack(messages)
        worst = Work(*(max(a, b) for a, b in zip(vars_of(worst), vars_of(acking.work), strict=True)))
        if n in (0, 50):
            assert fan.look(generation).open == PARTS - (n + 1) * BATCH
    assert fan.counts(generation) == ("done", PARTS, 0, 0)
    assert len(fan.sent()) == 1
    # a look at each part to follow redrives, and one to end it; one write of the barrier a call, two at the last
    assert worst.fetched <= 4 * BATCH + 100, worst
    assert worst.entries <= 4 * BATCH + 300, worst
    assert worst.barrier_writes <= 2, worst


def vars_of(work: Work) -> tuple[int, int, int]:
    return work.fetched, work.entries, work.barrier_writes


@pytest.mark.timeout(120)
def test_hundred_batches_of_one_barrier_under_a_held_snapshot_stay_even(fan: Fan) -> None:
    """Nothing may walk over what has ended: with a snapshot held, no dead row or index entry goes away."""
    fan.arm(20_000)
    with psycopg.connect(fan.db.info.dsn, autocommit=False, password=fan.db.info.password) as holder:
        holder.execute("set transaction isolation level repeatable read")
        holder.execute("select 1 from pgqueue.barrier")
        costs = []
        for _ in range(20):
            messages = fan.read()
            with Measured(fan.db) as acking:
                fan.ack(messages)
            costs.append(acking.work.fetched + acking.work.entries)
    assert max(costs) <= 9 * BATCH, costs


def test_looking_for_lost_parts_touches_a_thousand_and_no_more(fan: Fan) -> None:
    fan.arm(10_000)
    fan.db.execute("update pgqueue.barrier set check_at = armed_at")
    for _ in range(10):
        with Measured(fan.db) as sweeping:
            assert len(fan.sweep()) == 1
        assert sweeping.work.fetched <= 4 * 1_000 + 100, sweeping.work


def test_callback_never_lies_in_the_row_that_arrivals_write(row_fan: Fan) -> None:
    """A large callback is kept aside, so that an arrival doesn't write it again."""
    row_fan.arm(10, callback={"queue": "total", "message": "x" * 900_000})
    parts = row_fan.read()
    before = scalar(row_fan.db, "select pg_current_wal_insert_lsn()")
    for message in parts[:9]:
        row_fan.ack([message])
    (written,) = rows(row_fan.db, "select pg_current_wal_insert_lsn() - %s::pg_lsn as bytes", before)
    assert written.bytes < 300_000
