"""A log's verbs touch what they handle, whatever stands behind the cursor, before it, or on the row side.

The same measure as in `test_work`; the shapes are those of a log.
"""

from __future__ import annotations

import psycopg
import pytest

from tests_integration.fixtures.verbs import Queue, create_queue, rows
from tests_integration.plans.test_work import CACHED_AFTER, Work, measure

ROWS = 60_000
MESSAGES = """
insert into pgqueue.l_orders (msg_id, enqueued_at, message)
select nextval('pgqueue.s_orders'), c, '{{"n": 1}}' from generate_series(1, {count}) g, pgqueue.clock() c"""
CLAIMS = """
insert into pgqueue.c_orders (lo, hi, qty, vt, receipt, read_at)
select 1 + 100 * g, 100 + 100 * g, 100, c + {vt}, 1, c from generate_series(0, {count} / 100 - 1) g, pgqueue.clock() c;
select setval('pgqueue.u_orders', {count})"""
# One read in 64 sweeps; it would look at all that was loaded by hand, and bring back what the measures before it have taken
# and rolled back.
SWEPT = """
update pgqueue.h_orders set (done, mark, mark_last) = (select u.last_value, u.last_value, u.last_value from pgqueue.u_orders u)"""
ASIDE = """
insert into pgqueue.r_orders (msg_id, enqueued_at, vt, message)
select nextval('pgqueue.s_orders'), c, c + interval '1 h', '{{"n": 1}}'
from generate_series(1, {count}) g, pgqueue.clock() c"""

SHAPES: dict[str, list[str]] = {
    "ready": [MESSAGES],
    "in flight": [MESSAGES, CLAIMS.replace("{vt}", "interval '1 h'"), MESSAGES],
    "expired": [MESSAGES, CLAIMS.replace("{vt}", "interval '-1 h'"), MESSAGES],
    "delayed": [MESSAGES, ASIDE],
}
IDS = "array(select generate_series(20001, 20100)::bigint)"
ONES = "array_fill(1::bigint, '{100}')"
VERBS = {
    "read__orders()": 1,
    "read__orders(qty => 100)": 100,
    "pop__orders()": 1,
    "pop__orders(100)": 100,
    "send__orders('{}')": 1,
    "send__orders('{}', key => 'k', priority => 3)": 1,
    "send_batch__orders(array_fill('{}'::jsonb, '{100}'))": 100,
    "delete__orders(20000)": 1,
    "delete__orders(20000, 1)": 1,
    f"delete_batch__orders({IDS})": 100,
    f"delete_batch__orders({IDS}, array[1::bigint])": 100,
    f"delete_batch__orders({IDS}, {IDS})": 100,
    "set_vt__orders(20000, '1 min')": 1,
    f"set_vt_batch__orders({IDS}, '1 min', array[1::bigint])": 100,
    f"set_vt_batch__orders({IDS}, '1 min', {ONES})": 100,
    "retry__orders(20000, '1 min', receipt => 1)": 1,
    f"retry_batch__orders({IDS}, array_fill('1 min'::interval, '{{100}}'), receipts => array[1::bigint])": 100,
    f"release_batch__orders({IDS}, array[1::bigint])": 100,
    f"archive_batch__orders({IDS})": 100,
    f"bury_batch__orders({IDS}, array_fill('x'::text, '{{100}}'))": 100,
}
LEAST = 20  # a read lets at least so many messages of an expired claim lapse


def load(db: psycopg.Connection, shape: str, count: int = ROWS) -> None:
    for part in SHAPES[shape]:
        db.execute(part.format(count=count).encode())
    db.execute(SWEPT.encode())


def within(work: Work, handled: int) -> bool:
    handled = max(handled, LEAST)
    return work.within(handled, each=14)


def excesses(db: psycopg.Connection, times: int = CACHED_AFTER) -> list[str]:
    """Call every verb several times in one session and tell which calls did more than their share."""
    found = []
    for call, handled in VERBS.items():
        for n in range(times):
            db.execute(SWEPT.encode())
            work = measure(db, call)
            if not within(work, handled):
                found.append(f"{call}, call {n + 1}: {work}")
    return found


@pytest.fixture
def orders(db: psycopg.Connection) -> Queue:
    create_queue(db, "orders", "log")
    return Queue(db, kind="log")


@pytest.mark.parametrize("statistics", ["never analysed", "analysed"])
@pytest.mark.parametrize("shape", SHAPES)
def test_no_verb_touches_more_than_it_handles(orders: Queue, shape: str, statistics: str) -> None:
    load(orders.connection, shape)
    if statistics == "analysed":
        for table in "lmcr":
            orders.connection.execute(f"analyze pgqueue.{table}_orders".encode())
    assert excesses(orders.connection) == []


@pytest.mark.parametrize("mode", ["auto", "force_generic_plan"])
def test_plans_made_while_the_tables_were_empty_stay_good(orders: Queue, mode: str) -> None:
    db = orders.connection
    db.execute(f"set plan_cache_mode = {mode}".encode())
    for table in "lmcr":
        db.execute(f"vacuum analyze pgqueue.{table}_orders".encode())
    assert excesses(db) == []
    db.execute("select setval('pgqueue.s_orders', 1, false), setval('pgqueue.u_orders', 0)")
    load(db, "in flight")
    load_more = ASIDE.format(count=ROWS)
    db.execute(load_more.encode())
    assert excesses(db, times=2) == []


@pytest.mark.parametrize("shape", SHAPES)
def test_statistics_of_a_drained_queue_mislead_nobody(orders: Queue, shape: str) -> None:
    db = orders.connection
    load(db, "delayed")
    for table in "lmcr":
        db.execute(f"delete from pgqueue.{table}_orders".encode())
        db.execute(f"vacuum pgqueue.{table}_orders".encode())
    db.execute("select setval('pgqueue.s_orders', 1, false), setval('pgqueue.u_orders', 0)")
    load(db, shape)
    assert excesses(db, times=2) == []


@pytest.mark.parametrize("shape", SHAPES)
def test_read_of_a_hundred_touches_few_pages_once_planned(orders: Queue, shape: str) -> None:
    load(orders.connection, shape)
    works = [measure(orders.connection, "read__orders(qty => 100)") for _ in range(CACHED_AFTER)]
    assert min(work.buffers for work in works) <= (2500 if shape == "expired" else 60), works


@pytest.mark.parametrize("shape", ["ready", "in flight"])
def test_ack_of_a_whole_read_touches_its_messages_and_their_claim_once(orders: Queue, shape: str) -> None:
    load(orders.connection, shape)
    found = orders.read(qty=100)
    ids = [message.msg_id for message in found]
    call = f"delete_batch__orders('{{{','.join(map(str, ids))}}}', '{{{found[0].receipt}}}')"
    works = [measure(orders.connection, call) for _ in range(CACHED_AFTER)]
    assert min(work.fetched for work in works) <= 110, works
    assert min(work.buffers for work in works) <= 450, works


def test_measuring_sees_a_missing_index(orders: Queue) -> None:
    """The negative control: the same measure, and what it finds when an index is gone."""
    load(orders.connection, "in flight")
    assert within(measure(orders.connection, "read__orders()"), 1)
    orders.connection.execute("alter table pgqueue.l_orders drop constraint ix_l_orders_pkey")
    without = measure(orders.connection, "read__orders()")
    assert not within(without, 1)


def test_no_plan_of_a_reading_session_scans_a_table(orders: Queue) -> None:
    load(orders.connection, "in flight", 1000)
    scans = "select sum(pg_stat_get_xact_numscans(c.oid)) from pg_class c where c.relname ~ '^[lmcr]_orders$'"
    for call in VERBS:
        with orders.connection.transaction(force_rollback=True):
            before = rows(orders.connection, scans)
            orders.connection.execute(f"select * from pgqueue.{call}".encode())
            assert rows(orders.connection, scans) == before, call


@pytest.mark.parametrize("shape", ["ready", "in flight", "delayed"])
def test_depth_counts_no_more_than_ten_thousand_a_part(orders: Queue, shape: str) -> None:
    load(orders.connection, shape)
    work = measure(orders.connection, "metrics('orders')")
    assert work.fetched <= 45_000, work
    assert work.buffers <= 60_000, work


@pytest.mark.parametrize("state", ["null", "'ready'"])
def test_page_of_peek_reads_no_further_than_its_last_row(orders: Queue, state: str) -> None:
    load(orders.connection, "ready")
    work = measure(orders.connection, f"peek('orders', {state}, after_id => 30000, qty => 50)")
    assert work.within(50, each=10), work
