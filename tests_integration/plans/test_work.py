"""Each statement has one possible plan: a verb touches no more rows than it handles, whatever stands in the table.

Seen from outside: rows fetched and index entries read, from the statistics of the running session, and buffers from
EXPLAIN. Autovacuum is off in this lane, so a table is as analysed as the test makes it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import psycopg
import pytest

from tests_integration.fixtures.verbs import Queue, configure_queue, create_queue, scalar

ROWS = 100_000
CACHED_AFTER = 7  # calls of a statement in a session; from the sixth on the generic plan is considered

INSERT = """
insert into pgqueue.r_orders (msg_id, enqueued_at, vt, read_ct, receipt, priority, group_key, message)
select nextval('pgqueue.s_orders'), c, c + {vt}, {read_ct}, {receipt}, {priority}, {group_key}, '{{"n": 1}}'
from generate_series(1, {count}) g, pgqueue.clock() c"""

SHAPES: dict[str, list[dict[str, object]]] = {
    "ready": [{}],
    "in flight": [{"vt": "interval '1 h'", "read_ct": 1, "receipt": "g"}],
    "delayed": [{"vt": "interval '1 h'"}],
    "expired": [{"vt": "interval '-1 h'", "read_ct": 1, "receipt": "g"}],
    "in flight on every level": [{"vt": "interval '1 h'", "receipt": "g", "priority": "mod(g, 10)"}],
    "groups of one": [{"group_key": "'g' || g"}],
}


@dataclass(frozen=True)
class Work:
    fetched: int
    entries: int
    buffers: int

    def within(self, handled: int, each: int = 5, buffers_each: int = 30) -> bool:
        """Compare with a share for each message handled and a constant; entries and buffers include
        what earlier measurements left behind by rolling back, and the planning of a first call."""
        return (
            self.fetched <= each * handled + 25
            and self.entries <= each * handled + 150
            and self.buffers <= buffers_each * handled + 2000
        )


COUNTERS = """
select sum(case c.relkind when 'r' then pg_stat_get_xact_tuples_returned(c.oid)
                          when 'i' then pg_stat_get_xact_tuples_fetched(c.oid) end)::bigint,
       sum(case c.relkind when 'i' then pg_stat_get_xact_tuples_returned(c.oid) end)::bigint
from pg_class c where c.relnamespace = 'pgqueue'::regnamespace and c.relname ~ 'orders'"""


def counters(db: psycopg.Connection) -> tuple[int, int]:
    row = db.execute(COUNTERS).fetchone()
    assert row is not None
    return row[0], row[1]


def measure(db: psycopg.Connection, call: str) -> Work:
    """Run `select * from pgqueue.<call>` and roll it back."""
    with db.transaction(force_rollback=True):
        fetched, entries = counters(db)
        plan: Any = scalar(
            db,
            f"explain (analyze, buffers, timing off, summary off, format json) select * from pgqueue.{call}",
        )
        after = counters(db)
    top = plan[0]["Plan"]
    return Work(after[0] - fetched, after[1] - entries, top["Shared Hit Blocks"] + top["Shared Read Blocks"])


def load(db: psycopg.Connection, shape: str, count: int = ROWS) -> None:
    for part in SHAPES[shape]:
        values: dict[str, object] = {
            "vt": "interval '0'",
            "read_ct": 0,
            "receipt": "null::bigint",
            "priority": 0,
            "group_key": "null::text",
        }
        db.execute(INSERT.format(**values | part, count=count).encode())


IDS = "array(select generate_series(50001, 50100)::bigint)"
VERBS = {
    "read__orders()": 1,
    "read__orders(qty => 100)": 100,
    "read__orders(qty => 10, filter => '{\"n\": 1}')": 10,
    "pop__orders()": 1,
    "pop__orders(100)": 100,
    "send__orders('{}')": 1,
    "send__orders('{}', key => 'k', group_key => 'g', priority => 3)": 1,
    "send_batch__orders(array_fill('{}'::jsonb, '{100}'))": 100,
    "delete__orders(50000)": 1,
    f"delete_batch__orders({IDS})": 100,
    f"delete_batch__orders({IDS}, {IDS})": 100,
    "set_vt__orders(50000, '1 min')": 1,
    f"set_vt_batch__orders({IDS}, '1 min')": 100,
    f"set_vt_batch__orders({IDS}, '1 min', {IDS})": 100,
    "retry__orders(50000, '1 min')": 1,
    f"retry_batch__orders({IDS}, array_fill('1 min'::interval, '{{100}}'))": 100,
    f"release_batch__orders({IDS})": 100,
    f"archive_batch__orders({IDS})": 100,
    f"bury_batch__orders({IDS}, array_fill('x'::text, '{{100}}'))": 100,
}


def excesses(db: psycopg.Connection, times: int = CACHED_AFTER) -> list[str]:
    """Call every verb several times in one session and tell which calls did more than their share."""
    found = []
    for call, handled in VERBS.items():
        for n in range(times):
            work = measure(db, call)
            if not work.within(handled):
                found.append(f"{call}, call {n + 1}: {work}")
    return found


def clear_index(db: psycopg.Connection) -> None:
    """Have a read walk the index from its beginning, which marks what rolled back sends left there."""
    db.execute("select setval('pgqueue.f_orders', 0)")
    measure(db, "read__orders()")


@pytest.mark.parametrize("statistics", ["never analysed", "analysed"])
@pytest.mark.parametrize("shape", SHAPES)
def test_no_verb_touches_more_than_it_handles(db: psycopg.Connection, shape: str, statistics: str) -> None:
    create_queue(db, "orders", "row")
    load(db, shape)
    if statistics == "analysed":
        db.execute("analyze pgqueue.r_orders")
    assert excesses(db) == []


@pytest.mark.parametrize("mode", ["auto", "force_generic_plan"])
@pytest.mark.parametrize("before", ["empty", "empty and analysed"])
def test_plans_made_while_the_table_was_empty_stay_good(
    db: psycopg.Connection, mode: str, before: str
) -> None:
    db.execute(f"set plan_cache_mode = {mode}".encode())
    create_queue(db, "orders", "row")
    if before == "empty and analysed":
        db.execute("vacuum analyze pgqueue.r_orders")
    assert excesses(db) == []
    load(db, "expired")
    load(db, "in flight on every level")
    clear_index(db)
    assert excesses(db, times=2) == []


@pytest.mark.parametrize("shape", SHAPES)
def test_statistics_of_a_drained_queue_mislead_nobody(db: psycopg.Connection, shape: str) -> None:
    """VACUUM of a drained queue leaves pages without rows in the statistics: every index then looks equally cheap."""
    create_queue(db, "orders", "row")
    load(db, "ready")
    db.execute("delete from pgqueue.r_orders")
    db.execute("vacuum pgqueue.r_orders")
    load(db, shape)
    assert excesses(db, times=2) == []


def test_plans_made_for_a_full_table_stay_good_when_other_rows_stand_in_it(db: psycopg.Connection) -> None:
    create_queue(db, "orders", "row")
    load(db, "delayed", 1000)
    db.execute("analyze pgqueue.r_orders")
    assert excesses(db) == []
    load(db, "ready")
    clear_index(db)
    assert excesses(db, times=2) == []


def test_measuring_sees_a_missing_claim_index(db: psycopg.Connection) -> None:
    """The negative control: the same measure, and what it finds when the one index is gone."""
    create_queue(db, "orders", "row")
    load(db, "in flight")
    assert measure(db, "read__orders()").within(1)
    db.execute("drop index pgqueue.ix_r_orders_claim")
    without = measure(db, "read__orders()")
    assert not without.within(1)
    assert without.fetched >= ROWS
    assert without.buffers > 1000


def test_read_that_buries_touches_no_more_than_it_buries_and_hands_out(db: psycopg.Connection) -> None:
    create_queue(db, "orders", "row")
    load(db, "expired", 100)
    db.execute("update pgqueue.r_orders set read_ct = 99")
    load(db, "ready")
    configure_queue(db, "orders", max_reads=1, repark_budget=1)
    assert measure(db, "read__orders(qty => 100)").within(200, each=12)


def test_cost_of_burying_grows_with_the_number_of_the_doomed_and_not_with_its_square(
    db: psycopg.Connection,
) -> None:
    create_queue(db, "orders", "row", max_reads=1, repark_budget=1)
    load(db, "expired", 400)
    db.execute("update pgqueue.r_orders set read_ct = 99")
    assert measure(db, "read__orders()").within(400, each=20)


@pytest.mark.parametrize("statistics", ["never analysed", "analysed"])
def test_depth_counts_no_more_than_ten_thousand_rows(db: psycopg.Connection, statistics: str) -> None:
    create_queue(db, "orders", "row")
    load(db, "in flight on every level")
    load(db, "ready")
    if statistics == "analysed":
        db.execute("analyze pgqueue.r_orders")
    assert measure(db, "metrics('orders')").fetched <= 10_100


@pytest.mark.parametrize("state", [None, "ready"])
def test_page_of_peek_reads_no_further_than_its_last_row(db: psycopg.Connection, state: str | None) -> None:
    create_queue(db, "orders", "row")
    load(db, "ready")
    quoted = "null" if state is None else f"'{state}'"
    work = measure(db, f"peek('orders', {quoted}, after_id => 60000, qty => 50)")
    assert work.within(50)
    assert Queue(db).rows("peek", after_id=60000, qty=1)[0].msg_id == 60001
