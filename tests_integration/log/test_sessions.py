"""Readers that are cancelled, that wait, and that run under strict isolation."""

from __future__ import annotations

import contextlib

import psycopg
import pytest

from tests_integration.fixtures.database import Database
from tests_integration.fixtures.verbs import Background, Queue, refused, scalar
from tests_integration.fixtures.waiting import eventually, wait_until_blocked
from tests_integration.log.storage import cursor, ids_of, take_locks

HOLD = "select pg_advisory_xact_lock(pgqueue.take_lock('orders'))"


def test_reader_that_is_cancelled_while_it_waits_for_the_take_lock_leaves_none(
    database: Database, orders: Queue, other: Queue
) -> None:
    sent = orders.send()
    third = orders.on(database.connect())
    other.connection.execute("begin")
    other.connection.execute(HOLD)
    orders.connection.execute("begin")
    orders.connection.execute("savepoint s")
    waiting = Background(orders.read)
    wait_until_blocked(third.connection, orders.connection.info.backend_pid)
    orders.connection.cancel_safe()
    refused("57014", waiting.result)
    orders.connection.execute("rollback to savepoint s")
    other.connection.execute("rollback")
    assert take_locks(third) == 0
    assert ids_of(third.read()) == [sent]
    orders.connection.execute("commit")


@pytest.mark.parametrize("statement_timeout", [1, 2, 5])
def test_reader_that_times_out_anywhere_leaves_no_lock_and_loses_nothing(
    orders: Queue, other: Queue, statement_timeout: int
) -> None:
    sent = orders.send_many(3000)
    other.connection.execute(f"set statement_timeout = '{statement_timeout}ms'".encode())
    for _ in range(30):
        with contextlib.suppress(psycopg.errors.QueryCanceled):
            other.connection.execute("begin")
            other.read(qty=100)
        other.connection.rollback()
        assert take_locks(orders) == 0
    got: list[int] = []

    def all_are_read() -> bool:
        got.extend(ids_of(orders.read(qty=1000)))
        return len(got) >= len(sent)

    eventually(all_are_read, 20)  # a log waits for older writers, and other tests share this server
    assert sorted(got) == sent


def test_take_lock_is_not_kept_until_the_readers_commit(orders: Queue, other: Queue) -> None:
    sent = orders.send_many(2)
    with other.connection.transaction():
        assert ids_of(other.read()) == sent[:1]
        assert take_locks(orders) == 0
        orders.connection.execute("set statement_timeout = '1s'")
        assert ids_of(orders.read()) == sent[1:]


@pytest.mark.parametrize("isolation", ["repeatable read", "serializable"])
def test_strict_isolation_reads_settles_and_skips_no_message_for_good(
    orders: Queue, other: Queue, isolation: str
) -> None:
    other.connection.execute(f"set default_transaction_isolation = '{isolation}'".encode())
    seen = orders.send_many(2)
    other.connection.execute("begin")
    assert scalar(other.connection, "select count(*) from pgqueue.l_orders") == 2
    unseen = orders.send_many(2)
    found = other.read(qty=10)
    assert ids_of(found) == seen
    answered = other.outcomes("delete_batch", msg_ids=seen, receipts=[found[0].receipt])
    assert answered == dict.fromkeys(seen, "done")
    other.connection.execute("commit")
    assert cursor(orders) == seen[-1]
    assert ids_of(other.read(qty=10)) == unseen


@pytest.mark.parametrize("isolation", ["repeatable read", "serializable"])
def test_messages_of_a_reader_that_rolled_back_wait_for_a_read_committed_one(
    orders: Queue, other: Queue, isolation: str
) -> None:
    sent = orders.send()
    other.connection.execute(f"set default_transaction_isolation = '{isolation}'".encode())
    other.connection.execute("begin")
    other.read_one()
    other.connection.execute("rollback")
    assert other.read() == []
    assert ids_of(orders.read() + orders.read()) == [sent]


def test_reader_that_reads_often_in_one_transaction_gets_each_message_once(
    orders: Queue, other: Queue
) -> None:
    sent = orders.send_many(10)
    with other.connection.transaction():
        got = [message.msg_id for _ in range(12) for message in other.read()]
        assert got == sent
        assert set(other.outcomes("delete_batch", msg_ids=got).values()) == {"done"}
    assert orders.ids() == []
    assert orders.read() == []
