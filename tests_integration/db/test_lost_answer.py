"""A lost answer: what is done again, what is in doubt, and how long a call may wait for one."""

from __future__ import annotations

import time
from typing import Any

import psycopg
import pytest

from pgqueue.call import Call
from pgqueue.db import liveness
from pgqueue.errors import InDoubt, PgQueueError, Unavailable
from pgqueue.message import calls
from pgqueue.message.model import Outcome
from tests_integration.db.fault_proxy import FaultProxy
from tests_integration.db.faults import (
    QUEUE,
    SETTLING,
    Events,
    OpenRunner,
    lease,
    stored,
    warm,
)
from tests_integration.fixtures.database import Database


def test_an_ack_whose_answer_was_lost_is_repeated_and_finds_the_message_gone(
    database: Database, db: psycopg.Connection, proxy: FaultProxy, open_runner: OpenRunner, events: Events
) -> None:
    """U30"""
    runner = open_runner(proxy.conninfo(database.conninfo))
    message = lease(runner, db)
    proxy.lose_replies()
    assert runner.run(SETTLING["delete"](message)) is Outcome.GONE
    assert stored(db) == []
    assert proxy.links == 2
    assert [event["sqlstate"] for event in events.named("call.repeated")] == [None]


@pytest.mark.parametrize("verb", ["release", "retry"])
def test_a_repeated_release_or_retry_counts_its_own_dead_receipt_as_done(
    verb: str, database: Database, db: psycopg.Connection, proxy: FaultProxy, open_runner: OpenRunner
) -> None:
    runner = open_runner(proxy.conninfo(database.conninfo))
    message = lease(runner, db)
    proxy.lose_replies()
    assert runner.run(SETTLING[verb](message)) is Outcome.DONE
    assert stored(db) == [(message.msg_id, 1, 1 if verb == "release" else 0, 0)]
    assert runner.run(SETTLING[verb](message)) is Outcome.STALE


def test_a_send_without_key_whose_answer_was_lost_is_in_doubt_and_not_repeated(
    database: Database, db: psycopg.Connection, proxy: FaultProxy, open_runner: OpenRunner, events: Events
) -> None:
    """U31 as overruled: never a second row behind the sender's back."""
    runner = open_runner(proxy.conninfo(database.conninfo))
    warm(runner)
    proxy.lose_replies()
    with pytest.raises(InDoubt):
        runner.run(calls.send(QUEUE, {"n": 1}))
    assert len(stored(db)) == 1
    assert not events.named("call.repeated")
    assert proxy.links == 1


def test_a_send_with_key_whose_answer_was_lost_is_repeated_and_there_is_one_message(
    database: Database, db: psycopg.Connection, proxy: FaultProxy, open_runner: OpenRunner, events: Events
) -> None:
    """U31, U32: the same arguments go out again."""
    runner = open_runner(proxy.conninfo(database.conninfo))
    warm(runner)
    proxy.lose_replies()
    msg_id = runner.run(calls.send(QUEUE, {"n": 1}, key="order-7", priority=4))
    assert stored(db) == [(msg_id, 0, 0, 4)]
    assert len(events.named("call.repeated")) == 1


def test_a_batch_is_repeated_only_when_every_message_has_a_key(
    database: Database, db: psycopg.Connection, proxy: FaultProxy, open_runner: OpenRunner
) -> None:
    runner = open_runner(proxy.conninfo(database.conninfo))
    warm(runner)
    proxy.lose_replies()
    ids = runner.run(calls.send_batch(QUEUE, [1, 2], keys=["a", "b"]))
    assert [row[0] for row in stored(db)] == ids
    proxy.lose_replies()
    with pytest.raises(InDoubt):
        runner.run(calls.send_batch(QUEUE, [3, 4], keys=["c", None]))
    assert len(stored(db)) == 4


def test_a_read_whose_answer_was_lost_is_not_repeated_and_its_lease_lapses(
    database: Database, db: psycopg.Connection, proxy: FaultProxy, open_runner: OpenRunner, events: Events
) -> None:
    db.execute("select pgqueue.send_batch('orders', '{1,2}')")
    runner = open_runner(proxy.conninfo(database.conninfo))
    warm(runner)
    proxy.lose_replies()
    with pytest.raises(Unavailable, match="got no answer"):
        runner.run(calls.read(QUEUE))
    assert [row[1] for row in stored(db)] == [1, 0]
    assert not events.named("call.repeated")


def test_a_pop_whose_answer_was_lost_is_in_doubt(
    database: Database, db: psycopg.Connection, proxy: FaultProxy, open_runner: OpenRunner
) -> None:
    db.execute("select pgqueue.send_batch('orders', '{1,2}')")
    runner = open_runner(proxy.conninfo(database.conninfo))
    warm(runner)
    proxy.lose_replies()
    with pytest.raises(InDoubt):
        runner.run(calls.pop(QUEUE))
    assert len(stored(db)) == 1


def test_a_call_takes_no_longer_than_its_deadline_when_nothing_comes_back(
    database: Database, db: psycopg.Connection, proxy: FaultProxy, open_runner: OpenRunner, events: Events
) -> None:
    runner = open_runner(proxy.conninfo(database.conninfo), call_timeout=0.4)
    warm(runner)
    cases: list[tuple[Call[Any], type[PgQueueError]]] = [
        (calls.send(QUEUE, 1), InDoubt),
        (calls.peek(QUEUE), Unavailable),
    ]
    for call, expected in cases:
        proxy.heal()
        warm(runner)
        proxy.black_hole()
        started = time.monotonic()
        with pytest.raises(expected, match=r"no answer within 0\.4 s"):
            runner.run(call)
        assert 0.3 < time.monotonic() - started < 1.5
        assert not runner.idle()
    proxy.heal()
    assert runner.run(calls.send(QUEUE, 2)) == 1
    assert not events.named("call.repeated")


def test_a_call_that_finds_every_connection_in_use_is_told_so_at_its_deadline(
    database: Database, db: psycopg.Connection, open_runner: OpenRunner
) -> None:
    """U38: not a lost connection, and nothing to repeat."""
    runner = open_runner(database.conninfo, call_timeout=0.3, max_connections=1)
    warm(runner)
    in_use = runner.take_one()
    with pytest.raises(Unavailable, match="all 1 connections"):
        runner.run(calls.send(QUEUE, 1))
    assert stored(db) == []
    in_use.pgconn.finish()


def test_a_server_that_takes_no_writes_is_left_for_a_new_connection(
    database: Database, db: psycopg.Connection, proxy: FaultProxy, open_runner: OpenRunner
) -> None:
    runner = open_runner(proxy.conninfo(database.conninfo))
    db.execute(f"alter database {database.name} set default_transaction_read_only = on")
    with pytest.raises(Unavailable, match="no writes"):
        runner.run(calls.send(QUEUE, 1))
    writer: Any = database.connect()
    writer.execute("set default_transaction_read_only = off")
    writer.execute(f"alter database {database.name} set default_transaction_read_only = off")
    assert runner.run(calls.send(QUEUE, 1)) >= 1
    assert proxy.links == 2
    assert liveness.looks_dropped(runner.idle()[0]) is False
