"""The verbs: who waits is known to senders, and is woken once."""

from __future__ import annotations

import psycopg
import pytest

from pgqueue.db.embedded import Cluster
from tests_integration.doorbell.ears import Ears, is_awaited, wait_for_message
from tests_integration.fixtures.clock import Clock
from tests_integration.fixtures.cluster import install_schema, tcp_conninfo
from tests_integration.fixtures.database import Database
from tests_integration.fixtures.verbs import Background, Queue, refused, scalar
from tests_integration.fixtures.waiting import wait_until_blocked


def test_nobody_waits_for_a_new_queue_and_a_ring_then_wakes_nobody(orders: Queue, ears: Ears) -> None:
    assert not is_awaited(orders)
    assert orders.call("ring") is False
    assert ears.heard() == 0


def test_an_empty_read_can_wait_and_the_first_ring_ends_that(orders: Queue, ears: Ears) -> None:
    assert wait_for_message(orders) == []
    assert is_awaited(orders)
    assert orders.call("ring") is True
    assert ears.heard() == 1
    assert not is_awaited(orders)
    assert orders.call("ring") is False
    assert ears.heard() == 0


def test_whoever_finds_a_message_does_not_wait(orders: Queue) -> None:
    sent = orders.send()
    assert [message.msg_id for message in wait_for_message(orders)] == [sent]
    assert not is_awaited(orders)


def test_waiting_reads_as_read_does(orders: Queue) -> None:
    sent = [orders.send({"n": n}) for n in range(3)]
    first = orders.rows("read_or_await", wait="1 s", vt="40 s", qty=2, holder="me")
    assert [message.msg_id for message in first] == sent[:2]
    assert {(message.vt - message.last_read_at).total_seconds() for message in first} == {40}
    shown = orders.look(sent[0])
    assert (shown.holder, shown.read_ct) == ("me", 1)


def test_nobody_waits_any_more_when_the_time_is_over(orders: Queue, clock: Clock, ears: Ears) -> None:
    wait_for_message(orders, 10)
    clock.advance(9.9)
    assert is_awaited(orders)
    clock.advance(0.2)
    assert not is_awaited(orders)
    assert orders.call("ring") is False
    assert ears.heard() == 0


def test_of_two_waiters_the_longer_one_counts(orders: Queue, clock: Clock) -> None:
    wait_for_message(orders, 60)
    wait_for_message(orders, 5)
    clock.advance(50)
    assert is_awaited(orders)


def test_by_name_is_the_same(orders: Queue, ears: Ears) -> None:
    by_name = Queue(orders.connection, "orders", "by name")
    assert wait_for_message(by_name) == []
    assert is_awaited(by_name)
    assert by_name.call("ring") is True
    assert ears.heard() == 1
    missing = Queue(orders.connection, "nowhere", "by name")
    for verb in ("is_awaited", "ring"):
        refused("PQ001", lambda v=verb: missing.call(v))  # type: ignore[misc]
    refused("PQ001", lambda: wait_for_message(missing))


@pytest.mark.parametrize("wait", [None, "0", "-1 s", "3601 s", "1 month"])
def test_a_wait_without_sense_is_refused(orders: Queue, wait: str | None) -> None:
    refused("PQ002", lambda: orders.rows("read_or_await", wait=wait))
    assert not is_awaited(orders)


def test_the_longest_name_has_a_channel_of_its_own(database: Database, db: psycopg.Connection) -> None:
    name = "a" + "b" * 46
    for each in (name, name[:-1]):
        db.execute("select pgqueue.create_queue(%s)", [each])
    longest, other = Ears(database.connect(), name), Ears(database.connect(), name[:-1])
    queue = Queue(db, name, "through its clone")
    wait_for_message(queue)
    assert queue.call("ring") is True
    assert (longest.heard(), other.heard()) == (1, 0)


def test_a_ring_is_heard_at_its_commit_and_one_that_is_rolled_back_never(orders: Queue, ears: Ears) -> None:
    """A waiter whose ring was lost with its transaction finds the message by its poll."""
    wait_for_message(orders)
    with orders.connection.transaction(force_rollback=True):
        assert orders.call("ring") is True
        assert ears.heard() == 0
    assert ears.heard() == 0
    wait_for_message(orders)
    with orders.connection.transaction():
        orders.call("ring")
    assert ears.heard() == 1


def test_waiting_is_seen_before_its_transaction_ends(database: Database, orders: Queue) -> None:
    with orders.connection.transaction():
        wait_for_message(orders)
        assert is_awaited(orders.on(database.connect()))


def test_asking_and_a_ring_that_wakes_nobody_take_no_transaction_id(orders: Queue) -> None:
    with orders.connection.transaction():
        is_awaited(orders)
        orders.call("ring")
        assert scalar(orders.connection, "select pg_current_xact_id_if_assigned()") is None


def test_waiting_takes_no_transaction_id_and_writes_no_wal(orders: Queue) -> None:
    db = orders.connection
    wait_for_message(orders)  # the first one may sweep or fill a cache
    with db.transaction():
        orders.read()
        taken_by_read = scalar(db, "select pg_current_xact_id_if_assigned()")
        wait_for_message(orders)
        assert taken_by_read is not None or scalar(db, "select pg_current_xact_id_if_assigned()") is None
    assert scalar(db, "select relpersistence = 'u' from pg_class where oid = 'pgqueue.w_orders'::regclass")


COUNTING_CLOCK = """
    create sequence public.calls;
    create or replace function pgqueue.clock() returns timestamptz language plpgsql stable as $$
    begin
        if current_setting('application_name') = 'waiter' and nextval('public.calls') = %s then
            perform pg_advisory_xact_lock_shared(7);
        end if;
        return clock_timestamp();
    end $$;
"""


def test_what_is_committed_while_somebody_begins_to_wait_is_found(
    database: Database, db: psycopg.Connection, orders: Queue
) -> None:
    """The sender asked before the waiter was known and so doesn't ring: the read after it must find the message."""
    waiter = database.connect(application_name="waiter")
    db.execute((COUNTING_CLOCK % -1).encode())
    orders.on(waiter).read()
    asked = scalar(db, "select last_value from public.calls")
    db.execute("drop sequence public.calls")
    db.execute((COUNTING_CLOCK % (asked + 1)).encode())  # between the read and the word that it waits
    db.execute("select pg_advisory_lock(7)")
    waiting = Background(lambda: wait_for_message(orders.on(waiter)))
    wait_until_blocked(database.connect(), waiter.info.backend_pid)
    assert not is_awaited(orders)
    sent = orders.send()
    db.execute("select pg_advisory_unlock(7)")
    assert [message.msg_id for message in waiting.result()] == [sent]


def test_a_queue_made_again_is_awaited_by_nobody_and_old_sessions_go_on(
    database: Database, db: psycopg.Connection, orders: Queue, kind: str
) -> None:
    other = orders.on(database.connect())
    wait_for_message(other)
    db.execute("select pgqueue.drop_queue('orders')")
    assert scalar(db, "select count(*) from pg_class where relname = 'w_orders'") == 0
    db.execute("select pgqueue.create_queue('orders', %s)", [kind])
    assert not is_awaited(other)
    wait_for_message(other)
    assert is_awaited(orders)


def test_a_queue_of_an_older_release_gets_its_doorbell_with_the_upgrade(
    db: psycopg.Connection, orders: Queue
) -> None:
    db.execute("drop sequence pgqueue.w_orders")
    db.execute("select pgqueue.refresh_clones('orders')")
    assert wait_for_message(orders) == []
    assert is_awaited(orders)


def test_after_a_crash_nobody_waits_and_everything_works(own_cluster: Cluster) -> None:
    conninfo = tcp_conninfo(own_cluster)
    install_schema(conninfo)
    with psycopg.connect(conninfo, autocommit=True) as db:
        db.execute("select pgqueue.create_queue('orders')")
        orders = Queue(db, "orders", "through its clone")
        wait_for_message(orders, 3600)
        assert is_awaited(orders)
    own_cluster.stop("immediate")
    own_cluster.start()
    with psycopg.connect(tcp_conninfo(own_cluster), autocommit=True) as db:
        orders = orders.on(db)
        assert not is_awaited(orders)
        assert wait_for_message(orders) == []
        assert orders.call("ring") is True
