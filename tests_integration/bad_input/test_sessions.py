"""Every verb once, in sessions that were set up oddly: isolation, settings, an attacker's schema in front."""

from __future__ import annotations

from datetime import UTC, timedelta

import psycopg
import pytest

from tests_integration.fixtures.clock import START, Clock
from tests_integration.fixtures.database import Database
from tests_integration.fixtures.verbs import (
    KINDS,
    WAYS,
    Kind,
    Queue,
    Way,
    configure_queue,
    create_queue,
    refused,
    rows,
    scalar,
)

WALKS = [(kind, way) for kind in KINDS for way in WAYS[:2]]


def walk_through_every_verb(session: psycopg.Connection, clock: Clock, way: Way, kind: Kind) -> None:
    """Use the whole surface and check every answer; the clock stands at START when it begins."""
    create_queue(session, "orders", kind, vt=20)
    create_queue(session, "orders", kind, vt=20)
    assert configure_queue(session, "orders", vt=10)["vt"] == 10
    queue = Queue(session, "orders", way, kind)
    odd = {"n": "'\\' \"%s\" \t"}
    first = queue.send(odd, headers={"h": 1}, key="k\\'", **queue.ranked(priority=2, group_key="g"))
    assert queue.send(odd, key="k\\'") == first
    later = queue.send(delay=timedelta(minutes=1))
    many = queue.send_many(6, keys=[f"m{n}" for n in range(6)], group_keys=[None] * 6)
    message = queue.read_one(filter=odd if kind == "row" else None, holder="it's")
    assert (message.msg_id, message.vt.astimezone(UTC)) == (first, START + timedelta(seconds=10))
    assert queue.call("set_vt", msg_id=first, vt=timedelta(minutes=2), receipt=message.receipt) == "done"
    assert queue.call("delete", msg_id=first, receipt=message.receipt + 1) == "stale"
    assert (
        queue.call("retry", msg_id=first, delay=timedelta(0), error="a\\b\x01'", receipt=message.receipt)
        == "done"
    )
    assert queue.look(first).error == "a\\b'"
    assert queue.call("release", msg_id=queue.read_one().msg_id) == "done"
    assert queue.call("bury", msg_id=first, reason="it's", error="c\\d") == "done"
    assert [message.msg_id for message in queue.rows("pop")] == many[:1]
    receipt = queue.read(qty=10)[0].receipt
    for verb, more, msg_id in (
        ("set_vt_batch", {"vt": timedelta(seconds=5)}, many[1]),
        ("release_batch", {}, many[1]),
        ("retry_batch", {"delays": [timedelta(hours=1)], "errors": ["e"]}, many[2]),
        ("archive_batch", {}, many[3]),
        ("bury_batch", {"reasons": ["x"]}, many[4]),
        ("delete_batch", {}, many[5]),
    ):
        assert queue.outcomes(verb, msg_ids=[msg_id], receipts=[receipt], **more) == {msg_id: "done"}
    assert queue.call("archive", msg_id=many[1]) == "done"
    assert queue.ids() == [later, many[2]]
    assert queue.look(later).vt.astimezone(UTC) == START + timedelta(minutes=1)
    assert [row.state for row in queue.rows("peek")] == ["delayed", "retry"]
    assert [pair.old_id for pair in queue.rows("redrive")] == [first, many[4]]
    clock.advance(60)
    seen = queue.metrics()
    assert (seen.depth, seen.ready, seen.retrying, seen.dead) == (4, 3, 1, 0)
    assert len(rows(session, "select * from pgqueue.dead_letters")) == 2
    assert scalar(session, "select pgqueue.purge_queue('orders')") == 4
    assert scalar(session, "select pgqueue.drop_queue('orders')") is True


@pytest.mark.parametrize(("kind", "way"), WALKS)
@pytest.mark.parametrize("isolation", ["read committed", "repeatable read", "serializable"])
@pytest.mark.parametrize("autocommit", [True, False])
def test_every_verb_works_under_every_isolation_default(
    database: Database, clock: Clock, kind: Kind, way: Way, isolation: str, autocommit: bool
) -> None:
    session = database.connect()
    session.execute(f"set default_transaction_isolation = '{isolation}'".encode())
    session.autocommit = autocommit
    walk_through_every_verb(session, clock, way, kind)
    session.commit()


ODD = {
    "time zone": ["set timezone = 'Pacific/Chatham'"],
    "date style": ["set datestyle = 'ISO, DMY'"],
    "interval style iso": ["set intervalstyle = 'iso_8601'"],
    "interval style sql": ["set intervalstyle = 'sql_standard'"],
    "backslashes": ["set standard_conforming_strings = off", "set backslash_quote = off"],
    "messages": ["set lc_messages = 'C'", "set bytea_output = 'escape'", "set extra_float_digits = -15"],
    "quoting": ["set quote_all_identifiers = on"],
    "nulls": ["set transform_null_equals = on"],
    "plans": [
        "set enable_indexscan = off",
        "set enable_indexonlyscan = off",
        "set plan_cache_mode = force_generic_plan",
    ],
    "empty search_path": ["set search_path = ''"],
    "collapse limits": ["set join_collapse_limit = 1", "set from_collapse_limit = 1"],
    "row security": ["set row_security = off"],
    "impatient": ["set lock_timeout = '1ms'"],
}


@pytest.mark.parametrize(("kind", "way"), WALKS)
@pytest.mark.parametrize("case", ODD)
def test_every_verb_works_under_odd_settings(
    database: Database, clock: Clock, kind: Kind, way: Way, case: str
) -> None:
    session = database.connect()
    for statement in ODD[case]:
        session.execute(statement.encode())
    walk_through_every_verb(session, clock, way, kind)


@pytest.mark.parametrize("style", ["SQL, DMY", "German", "Postgres, MDY"])
def test_dates_that_no_client_understands_do_not_touch_the_functions(database: Database, style: str) -> None:
    session = database.connect()
    session.execute(f"set datestyle = '{style}'".encode())
    create_queue(session, "orders")
    sent = Queue(session).send(key="k", delay=timedelta(0))
    read = "select msg_id, receipt, vt - last_read_at as vt from pgqueue.read__orders('7 s')"
    (message,) = rows(session, read)
    assert (message.msg_id, message.vt) == (sent, timedelta(seconds=7))
    assert Queue(session).call("archive", msg_id=sent, receipt=message.receipt) == "done"


ATTACK = """
create schema evil;
create table evil.seen (what text);
create function evil.note() returns boolean language plpgsql as $$
begin insert into evil.seen values ('called'); return true; end $$;
create function evil.now() returns timestamptz language sql as $$ select evil.note(); select 'epoch'::timestamptz $$;
create function evil.clock_timestamp() returns timestamptz language sql as $$ select evil.now() $$;
create function evil.cardinality(anyarray) returns integer language sql as $$ select evil.note(); select 0 $$;
create function evil.format(text, variadic text[]) returns text language sql as $$ select evil.note(); select '' $$;
create function evil.octet_length(text) returns integer language sql as $$ select evil.note(); select 0 $$;
create function evil.nextval(regclass) returns bigint language sql as $$ select evil.note(); select 7::bigint $$;
create function evil.gen_random_uuid() returns uuid language sql as $$ select evil.note(); select null::uuid $$;
create function evil.equal(bigint, bigint) returns boolean language sql as $$ select evil.note() $$;
create operator evil.= (leftarg = bigint, rightarg = bigint, function = evil.equal);
create function evil.less(timestamptz, timestamptz) returns boolean language sql as $$ select evil.note() $$;
create operator evil.<= (leftarg = timestamptz, rightarg = timestamptz, function = evil.less);
create function evil.less(integer, integer) returns boolean language sql as $$ select evil.note() $$;
create operator evil.> (leftarg = integer, rightarg = integer, function = evil.less);
create function evil.cat(text, text) returns text language sql as $$ select evil.note(); select '' $$;
create operator evil.|| (leftarg = text, rightarg = text, function = evil.cat);
create table evil.queue (queue text, kind text, settings jsonb, created_at timestamptz);
create table evil.r_orders (msg_id bigint);
create domain evil.bigint as text;
create temp table queue (queue text);
create temp table r_orders (msg_id bigint);
create temp view pg_proc as select 1 as oid;
set search_path = evil, pg_temp, pg_catalog, public;
"""


@pytest.mark.parametrize(("kind", "way"), WALKS)
def test_attackers_schema_in_front_is_never_looked_into(
    database: Database, clock: Clock, kind: Kind, way: Way
) -> None:
    session = database.connect()
    session.execute(ATTACK)
    observer = database.connect()
    session.execute("select evil.note()")
    assert scalar(observer, "select count(*) from evil.seen") == 1
    walk_through_every_verb(session, clock, way, kind)
    assert scalar(observer, "select count(*) from evil.seen") == 1


@pytest.mark.parametrize("kind", KINDS)
def test_statement_timeout_leaves_nothing_half_done(database: Database, clock: Clock, kind: Kind) -> None:
    create_queue(database.connect(), "orders", kind)
    queue = Queue(database.connect(), "orders")
    queue.connection.execute("set statement_timeout = '5ms'")
    refused("57014", lambda: queue.send_many(10_000, keys=[f"k{n}" for n in range(10_000)]))
    queue.connection.execute("set statement_timeout = 0")
    assert queue.ids() == []
    assert scalar(queue.connection, "select count(*) from pgqueue.k_orders") == 0


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_is_sent_in_an_aborted_or_read_only_transaction(database: Database, kind: Kind) -> None:
    create_queue(database.connect(), "orders", kind)
    queue = Queue(database.connect(), "orders")
    queue.connection.execute("begin")
    refused("42703", lambda: queue.connection.execute("select nothing"))
    refused("25P02", queue.send)
    queue.connection.execute("rollback; begin read only")
    refused("25006", queue.send)
    queue.connection.execute("rollback")
    assert queue.ids() == []


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("isolation", ["repeatable read", "serializable"])
def test_conflict_under_strict_isolation_is_no_double_lease(
    database: Database, isolation: str, kind: Kind
) -> None:
    create_queue(database.connect(), "orders", kind)
    first = Queue(database.connect(), "orders", "through its clone")
    sent = first.send()
    late = first.on(database.connect())
    late.connection.execute(f"begin isolation level {isolation}".encode())
    late.connection.execute("select count(*) from pgqueue.r_orders")
    message = first.read_one()
    if kind == "row":
        refused("40001", late.read)
    else:
        assert late.read() == []  # the cursor stands outside of snapshots
    late.connection.execute("rollback")
    assert first.call("delete", msg_id=sent, receipt=message.receipt) == "done"
