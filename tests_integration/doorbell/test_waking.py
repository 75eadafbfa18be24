"""Real consumers: woken where that is possible, never later than their poll where it isn't."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from pgqueue import PgQueue
from tests_integration.consumer.conftest import StartWorker
from tests_integration.consumer.worker import Worker
from tests_integration.doorbell.ears import is_awaited
from tests_integration.fixtures.bouncer import Bouncer
from tests_integration.fixtures.database import Database
from tests_integration.fixtures.verbs import Queue, scalar
from tests_integration.fixtures.waiting import eventually

APP = """
@app.messages("orders")
def handle(payload):
    mark("got")
    if payload == "hold": wait_for("go")
"""
SELDOM = ("--poll", "30", "--poll-max", "30")  # whoever handles a message sooner has been woken
LISTENER = "application_name = 'pgqueue/listen' and datname = current_database()"


@pytest.fixture
def client(database: Database, orders: Queue) -> Iterator[PgQueue]:
    with PgQueue(database.conninfo) as opened:
        yield opened


def asleep(worker: Worker, orders: Queue) -> None:
    """Wait until the worker hears, has found nothing and waits, its second look included."""
    worker.wait_for("listener.connected")
    eventually(lambda: is_awaited(orders))
    quiet = (
        "select max(state_change) < clock_timestamp() - interval '80 ms' from pg_stat_activity"
        " where query like '%read_or_await__orders%' and pid <> pg_backend_pid() and datname = current_database()"
    )
    eventually(lambda: scalar(orders.connection, quiet))


def test_an_idle_worker_is_woken_by_a_send(start: StartWorker, client: PgQueue, orders: Queue) -> None:
    worker = start(APP, *SELDOM)
    for n in range(1, 4):
        asleep(worker, orders)
        client.send("orders", n)
        worker.wait_for_mark("got", n, timeout=5)
    asleep(worker, orders)
    client.send_many("orders", list(range(20)))
    worker.wait_for_mark("got", 23, timeout=5)
    (started,) = worker.events("consumer.started")
    assert started["listen"] is True


def test_told_not_to_listen_it_opens_no_listener_and_nobody_rings(
    start: StartWorker, client: PgQueue, orders: Queue
) -> None:
    worker = start(APP, "--no-listen", "--poll", "0.1", "--poll-max", "0.1")
    for n in range(1, 4):
        client.send("orders", n)
        worker.wait_for_mark("got", n)
        assert not is_awaited(orders)
    count = orders.connection.execute(
        f"select count(*) from pg_stat_activity where {LISTENER}".encode()
    ).fetchone()
    assert count == (0,)
    assert worker.events("listener.connected") == worker.events("listener.refused") == []


def test_several_idle_workers_share_the_rings(start: StartWorker, client: PgQueue, orders: Queue) -> None:
    workers = [start(APP, *SELDOM, "--concurrency", "1") for _ in range(2)]
    for worker in workers:
        asleep(worker, orders)
    client.send_many("orders", ["hold", "hold"])
    workers[0].wait_for_mark("got", 2, timeout=5)
    workers[0].let("go")


def test_through_a_pooler_it_says_so_once_and_polls(
    start: StartWorker, client: PgQueue, orders: Queue, database: Database, own_bouncer: Bouncer
) -> None:
    worker = start(APP, "--poll", "0.1", "--poll-max", "0.2", dsn=own_bouncer.conninfo(database.name))
    worker.wait_for("listener.refused")
    for n in range(1, 4):
        client.send("orders", n)
        worker.wait_for_mark("got", n)
        assert not is_awaited(orders)
    assert len(worker.events("listener.refused")) == 1
    worker.terminate()
    assert worker.end() == 0


def test_with_a_direct_door_beside_the_pooled_one_it_is_woken(
    start: StartWorker, orders: Queue, database: Database, own_bouncer: Bouncer
) -> None:
    pooled = own_bouncer.conninfo(database.name)
    worker = start(APP, *SELDOM, dsn=pooled, PGQUEUE_DIRECT_DSN=database.conninfo)
    asleep(worker, orders)
    with PgQueue(pooled) as sender:
        sender.send("orders", 1)
    worker.wait_for_mark("got", timeout=5)


def test_a_worker_whose_listener_was_killed_is_woken_again(
    start: StartWorker, client: PgQueue, orders: Queue
) -> None:
    worker = start(APP, *SELDOM)
    asleep(worker, orders)
    orders.connection.execute(
        f"select pg_terminate_backend(pid) from pg_stat_activity where {LISTENER}".encode()
    )
    worker.wait_for("listener.lost")
    worker.wait_for("listener.connected", 2)
    eventually(lambda: is_awaited(orders))
    client.send("orders", 1)
    worker.wait_for_mark("got", timeout=5)


def test_a_busy_worker_is_not_rung_for(start: StartWorker, client: PgQueue, orders: Queue) -> None:
    worker = start(APP, *SELDOM, "--concurrency", "1")
    asleep(worker, orders)
    client.send("orders", "hold")
    worker.wait_for_mark("got")
    for n in range(5):
        client.send("orders", n)
        assert not is_awaited(orders)
    worker.let("go")
    worker.wait_for_mark("got", 6)


def test_a_send_on_the_callers_connection_is_found_by_the_poll(
    start: StartWorker, client: PgQueue, orders: Queue, database: Database
) -> None:
    worker = start(APP, "--poll", "0.2", "--poll-max", "0.3")
    asleep(worker, orders)
    with database.connect(autocommit=False) as caller:
        client.on(caller).send("orders", 1)
    worker.wait_for_mark("got", timeout=5)
    assert is_awaited(orders) or worker.marked("got")


def test_a_send_under_way_while_the_worker_falls_asleep_is_found_by_its_second_look(
    start: StartWorker, client: PgQueue, orders: Queue, database: Database
) -> None:
    """Not rung for, since the sender asked before; a worker that polled after 30 s only would not have it within 5."""
    worker = start(APP, *SELDOM)
    asleep(worker, orders)
    for n in range(1, 6):
        caller = database.connect(autocommit=False)
        orders.connection.execute("select setval('pgqueue.w_orders', 0)")
        client.on(caller).send("orders", n)
        orders.connection.execute("notify pgqueue_orders")  # the worker reads, finds nothing, and waits anew
        eventually(lambda: is_awaited(orders))
        caller.commit()
        worker.wait_for_mark("got", n, timeout=5)
        caller.close()


def test_a_worker_that_ends_leaves_nobody_waiting_for_long(
    start: StartWorker, client: PgQueue, orders: Queue
) -> None:
    worker = start(APP, "--poll", "0.1", "--poll-max", "0.1")
    asleep(worker, orders)
    worker.terminate()
    assert worker.end() == 0
    ended = time.monotonic()
    eventually(lambda: not is_awaited(orders))
    assert time.monotonic() - ended < 2
