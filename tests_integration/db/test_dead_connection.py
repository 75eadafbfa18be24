"""The dead-connection rules: each "repeated once" with its "not repeated" twin, effects counted in the database."""

from __future__ import annotations

import time

import psycopg
import pytest

from pgqueue.db import pools
from pgqueue.errors import DatabaseError, PgQueueError, QueueBusy, Unavailable
from pgqueue.message import calls
from pgqueue.message.model import Outcome
from tests_integration.db.fault_proxy import FaultProxy
from tests_integration.db.faults import (
    QUEUE,
    SETTLING,
    UNFENCED,
    Events,
    OpenRunner,
    end_idle,
    kill,
    lease,
    stored,
    warm,
    while_blocked,
)
from tests_integration.fixtures.database import Database


@pytest.mark.parametrize("verb", SETTLING)
def test_settling_is_repeated_once_when_the_backend_was_killed_under_it(
    verb: str, database: Database, db: psycopg.Connection, open_runner: OpenRunner, events: Events
) -> None:
    """U23, U29"""
    runner = open_runner(database.conninfo)
    message = lease(runner, db)
    with while_blocked(database, [kill(db)]) as met:
        started = time.monotonic()
        assert runner.run(SETTLING[verb](message)) is Outcome.DONE
    assert time.monotonic() - started >= 0.5
    assert len(met) == 1
    (event,) = events.named("call.repeated")
    assert event["level"] == "warning"
    assert event["call"] == f"message.{verb}"
    assert event["sqlstate"] == "57P01"
    assert "AdminShutdown" in event["error"]
    assert "stale" not in str(event)


@pytest.mark.parametrize("verb", SETTLING)
def test_settling_on_a_connection_made_in_this_call_is_not_repeated(
    verb: str, database: Database, db: psycopg.Connection, open_runner: OpenRunner, events: Events
) -> None:
    """U25, U33: reused is sampled before the attempt."""
    message = lease(open_runner(database.conninfo), db)
    fresh = open_runner(database.conninfo)
    before = stored(db)
    with while_blocked(database, [kill(db)]) as met, pytest.raises(Unavailable) as caught:
        fresh.run(SETTLING[verb](message))
    assert caught.value.sqlstate == "57P01"
    assert len(met) == 1
    assert not events.named("call.repeated")
    assert stored(db) == before


def test_the_next_call_after_a_fresh_one_counts_as_reused(
    database: Database, db: psycopg.Connection, open_runner: OpenRunner, events: Events
) -> None:
    """U33"""
    message = lease(open_runner(database.conninfo), db)
    runner = open_runner(database.conninfo)
    warm(runner)
    with while_blocked(database, [kill(db)]):
        assert runner.run(SETTLING["delete"](message)) is Outcome.DONE
    assert len(events.named("call.repeated")) == 1


@pytest.mark.parametrize("verb", UNFENCED)
def test_settling_without_a_receipt_is_not_repeated(
    verb: str, database: Database, db: psycopg.Connection, open_runner: OpenRunner, events: Events
) -> None:
    runner = open_runner(database.conninfo)
    message = lease(runner, db)
    before = stored(db)
    with while_blocked(database, [kill(db)]) as met, pytest.raises(Unavailable, match="rolled back"):
        runner.run(UNFENCED[verb](message))
    assert len(met) == 1
    assert not events.named("call.repeated")
    assert stored(db) == before


@pytest.mark.parametrize("verb", ["delete", "retry"])
def test_a_second_death_is_raised_after_exactly_one_reconnect(
    verb: str,
    database: Database,
    db: psycopg.Connection,
    proxy: FaultProxy,
    open_runner: OpenRunner,
    events: Events,
) -> None:
    """U28, U37"""
    runner = open_runner(proxy.conninfo(database.conninfo))
    message = lease(runner, db)
    before = stored(db)
    with while_blocked(database, [kill(db), kill(db)]) as met, pytest.raises(Unavailable):
        runner.run(SETTLING[verb](message))
    assert len(met) == 2
    assert met[0] != met[1]
    assert proxy.links == 2
    assert len(events.named("call.repeated")) == 1
    assert stored(db) == before


@pytest.mark.parametrize(
    ("setting", "expected"), [("lock_timeout", QueueBusy), ("statement_timeout", DatabaseError)]
)
@pytest.mark.parametrize("verb", ["delete", "retry", "bury"])
def test_an_error_that_leaves_the_connection_alive_is_raised_at_once(
    verb: str,
    setting: str,
    expected: type[PgQueueError],
    database: Database,
    db: psycopg.Connection,
    proxy: FaultProxy,
    open_runner: OpenRunner,
    events: Events,
) -> None:
    """U27, U34, U37, U38: both are OperationalErrors for psycopg, and nothing was lost."""
    db.execute(f"alter role pgqueue in database {database.name} set {setting} = '100ms'")
    runner = open_runner(proxy.conninfo(database.conninfo))
    message = lease(runner, db)
    blocker = database.connect(autocommit=False)
    blocker.execute("lock table pgqueue.r_orders in access exclusive mode")
    started = time.monotonic()
    with pytest.raises(expected):
        runner.run(SETTLING[verb](message))
    blocker.rollback()
    assert time.monotonic() - started < 0.5
    assert not events.named("call.repeated")
    assert runner.run(SETTLING[verb](message)) is Outcome.DONE
    assert proxy.links == 1


def test_a_send_without_key_that_was_rolled_back_says_so_and_is_not_repeated(
    database: Database, db: psycopg.Connection, open_runner: OpenRunner, events: Events
) -> None:
    runner = open_runner(database.conninfo)
    warm(runner)
    with while_blocked(database, [kill(db)]) as met, pytest.raises(Unavailable, match="rolled back"):
        runner.run(calls.send(QUEUE, {"n": 1}))
    assert len(met) == 1
    assert stored(db) == []
    assert not events.named("call.repeated")


def test_a_read_that_the_server_rolled_back_is_repeated(
    database: Database, db: psycopg.Connection, open_runner: OpenRunner, events: Events
) -> None:
    db.execute("select pgqueue.send('orders', '1')")
    runner = open_runner(database.conninfo)
    warm(runner)
    with while_blocked(database, [kill(db)]):
        (message,) = runner.run(calls.read(QUEUE))
    assert message.read_ct == 1
    assert len(events.named("call.repeated")) == 1


def test_a_connection_that_ended_while_idle_is_replaced_before_anything_is_sent(
    database: Database, db: psycopg.Connection, open_runner: OpenRunner, events: Events
) -> None:
    """U23: even a send without key meets no doubt."""
    runner = open_runner(database.conninfo)
    warm(runner)
    end_idle(db)
    assert runner.run(calls.send(QUEUE, 1)) == 1
    assert len(stored(db)) == 1
    assert not events.named("call.repeated")
    assert len(events.named("connection.dropped")) == 1


def test_an_end_that_arrives_between_the_look_and_the_statement_is_repeated_for_an_ack(
    database: Database,
    db: psycopg.Connection,
    open_runner: OpenRunner,
    events: Events,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """U23: the look only narrows the window."""
    runner = open_runner(database.conninfo)
    message = lease(runner, db)
    end_idle(db)
    monkeypatch.setattr(pools, "looks_dropped", lambda _: False)
    assert runner.run(SETTLING["delete"](message)) is Outcome.DONE
    assert stored(db) == []
    assert len(events.named("call.repeated")) == 1


def test_the_repeat_never_takes_another_idle_connection(
    database: Database,
    db: psycopg.Connection,
    open_runner: OpenRunner,
    events: Events,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What ended one of them, like the restart of a pooler, has ended them all."""
    runner = open_runner(database.conninfo)
    message = lease(runner, db)
    runner.fill()
    assert len(runner.idle()) == 2
    end_idle(db)
    monkeypatch.setattr(pools, "looks_dropped", lambda _: False)
    assert runner.run(SETTLING["delete"](message)) is Outcome.DONE
    assert len(events.named("call.repeated")) == 1


def test_own_connections_are_in_autocommit_and_idle_between_calls(
    database: Database, db: psycopg.Connection, open_runner: OpenRunner
) -> None:
    """U36 as overruled: one call is one statement, and no transaction is open between calls."""
    runner = open_runner(database.conninfo)
    lease(runner, db)
    state, query = db.execute(
        "select state, query from pg_stat_activity"
        " where application_name = 'pgqueue/test' and datname = current_database()"
    ).fetchone() or ("", "")
    assert state == "idle"
    assert "read__orders" in query
