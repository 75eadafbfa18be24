"""What a read of a queue with limits touches: in proportion to the limit and to what it hands out, never to what waits."""

from __future__ import annotations

import psycopg
import pytest

from tests_integration.fixtures.verbs import Kind, configure_queue, create_queue
from tests_integration.plans import test_log_work as log
from tests_integration.plans import test_work as row
from tests_integration.plans.test_work import CACHED_AFTER, Work, measure

MOST = 200
READS = {"read__orders()": 1, "read__orders(qty => 100)": 100}


def works(db: psycopg.Connection, times: int = CACHED_AFTER) -> dict[str, list[Work]]:
    return {call: [measure(db, call) for _ in range(times)] for call in READS}


def excesses(found: dict[str, list[Work]], counted: int, each: int) -> list[str]:
    """Tell which reads touched more than `each` for a message handed out or counted."""
    return [
        f"{call}: {work}"
        for call, measured in found.items()
        for work in measured
        if not work.within(max(READS[call], 20) + counted, each=each)
    ]


@pytest.mark.parametrize("statistics", ["never analysed", "analysed"])
@pytest.mark.parametrize("shape", row.SHAPES)
def test_counting_leases_of_a_row_queue_walks_over_nothing_else(
    db: psycopg.Connection, shape: str, statistics: str
) -> None:
    create_queue(db, "orders", "row")
    row.load(db, shape)
    configure_queue(db, "orders", max_in_flight=MOST)
    if statistics == "analysed":
        db.execute("analyze pgqueue.r_orders")
    assert excesses(works(db), MOST, 5) == []


@pytest.mark.parametrize("statistics", ["never analysed", "analysed"])
@pytest.mark.parametrize("shape", log.SHAPES)
def test_counting_leases_of_a_log_stops_at_the_limit(
    db: psycopg.Connection, shape: str, statistics: str
) -> None:
    create_queue(db, "orders", "log", max_in_flight=MOST)
    log.load(db, shape)
    if statistics == "analysed":
        for table in "lmcr":
            db.execute(f"analyze pgqueue.{table}_orders".encode())
    assert excesses(works(db), MOST, 14) == []


@pytest.mark.parametrize("before", ["empty", "empty and analysed"])
def test_plans_made_while_the_table_was_empty_stay_good(db: psycopg.Connection, before: str) -> None:
    create_queue(db, "orders", "row", max_in_flight=MOST, max_in_flight_per_key=2)
    if before == "empty and analysed":
        db.execute("vacuum analyze pgqueue.r_orders")
    works(db)
    row.load(db, "delayed")
    row.load(db, "expired", 1000)
    row.clear_index(db)
    assert excesses(works(db, times=2), MOST, 20) == []


@pytest.mark.parametrize("kind", ["row", "log"])
def test_a_rate_costs_no_row(db: psycopg.Connection, kind: Kind) -> None:
    create_queue(db, "orders", kind, rate_limit=1_000_000, rate_burst=1_000_000)
    shapes = row if kind == "row" else log
    shapes.load(db, "ready")
    each = 5 if kind == "row" else 14
    assert excesses(works(db), 0, each) == []


@pytest.mark.parametrize("statistics", ["never analysed", "analysed"])
@pytest.mark.parametrize("keys", ["one", "a hundred", "many", "none"])
def test_a_limit_by_key_looks_at_a_part_of_what_waits(
    db: psycopg.Connection, keys: str, statistics: str
) -> None:
    create_queue(db, "orders", "row")
    row.load(db, "ready")
    number = {"one": "1", "a hundred": "mod(msg_id, 100)", "many": "msg_id", "none": "null"}[keys]
    db.execute(
        f"update pgqueue.r_orders set headers = jsonb_build_object('pgqueue-key', ({number})::text)".encode()
    )
    db.execute("vacuum full pgqueue.r_orders")
    configure_queue(db, "orders", max_in_flight_per_key=2)
    if statistics == "analysed":
        db.execute("analyze pgqueue.r_orders")
    handled = 350 + (
        1000 if keys in ("one", "a hundred") else 0
    )  # the window, and the identities that are looked at beyond it
    assert excesses(works(db), handled, 8) == []


def test_measuring_sees_a_missing_index(db: psycopg.Connection) -> None:
    """The negative control."""
    create_queue(db, "orders", "row", max_in_flight=MOST)
    row.load(db, "delayed")
    assert excesses(works(db, 1), MOST, 5) == []
    db.execute("drop index pgqueue.ix_r_orders_leased")
    assert excesses(works(db, 1), MOST, 5) != []
