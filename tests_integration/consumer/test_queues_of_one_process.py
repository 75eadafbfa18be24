"""Several queues in one real process: pauses, limits, weights, a queue that hangs and one that is dropped."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from pgqueue import PgQueue
from pgqueue.queue import calls
from tests_integration.consumer.worker import Worker
from tests_integration.fixtures.database import Database
from tests_integration.fixtures.verbs import KINDS
from tests_integration.fixtures.waiting import eventually

APP = """
for queue in ("orders", "mails", "stuck"):
    @app.messages(queue)
    def handle(message, queue=queue):
        mark(queue)
"""
SLOW_APP = """
@app.messages("orders")
def handle(message):
    mark("started")
    wait_for(f"go-{message}")
"""
Begin = Callable[..., Worker]


@pytest.fixture
def client(database: Database) -> Iterator[PgQueue]:
    with PgQueue(database.conninfo) as opened:
        yield opened


@pytest.fixture
def begin(tmp_path: Path, database: Database) -> Iterator[Begin]:
    """Start `pgqueue consume` of these queues; whatever still runs is killed."""
    started: list[Worker] = []

    def consume(app: str, *queues: str, **environment: str) -> Worker:
        arguments = [*queues, "--app", "shop:app", "--dsn", database.conninfo]
        worker = Worker(tmp_path, app, arguments, environment)
        started.append(worker)
        worker.wait_for("consumer.started")
        return worker

    yield consume
    for worker in started:
        worker.kill()


@pytest.fixture(params=KINDS)
def queues(request: pytest.FixtureRequest, client: PgQueue) -> PgQueue:
    """Make three queues of each kind."""
    for queue in ("orders", "mails", "stuck"):
        client.create_queue(queue, request.param)
    return client


def left(db: psycopg.Connection, queue: str) -> int:
    row = db.execute("select depth from pgqueue.queues where queue = %s", [queue]).fetchone()
    assert row is not None
    return int(row[0])


def test_a_pause_is_said_once_and_ends_with_a_word(
    begin: Begin, queues: PgQueue, db: psycopg.Connection
) -> None:
    worker = begin(APP, "orders", "mails")
    queues.run(calls.pause_queue("orders", "the mail server is down"))
    (event,) = worker.wait_for("queue.paused")
    assert (event["queue"], event["why"]) == ("orders", "the mail server is down")
    queues.send_many("orders", [1, 2, 3])
    queues.send_many("mails", [1, 2, 3])
    worker.wait_for_mark("mails", 3)
    assert (worker.marked("orders"), left(db, "orders")) == (0, 3)
    queues.run(calls.resume_queue("orders"))
    worker.wait_for_mark("orders", 3, timeout=2)
    worker.wait_for("queue.resumed")
    assert len(worker.events("queue.paused")) == len(worker.events("queue.resumed")) == 1
    assert worker.events("settings.changed") == []


def test_a_consumer_that_starts_at_a_paused_queue_says_so(begin: Begin, queues: PgQueue) -> None:
    queues.run(calls.pause_queue("orders", "why"))
    assert len(begin(APP, "orders").events("queue.paused")) == 1


@pytest.mark.parametrize("table", ["r_stuck", "queue side"])
def test_a_queue_that_hangs_delays_no_other(
    begin: Begin, queues: PgQueue, database: Database, db: psycopg.Connection, table: str
) -> None:
    worker = begin(APP, "stuck", "orders", "mails")
    locking = database.connect()
    locking.execute("begin")
    if table == "r_stuck":
        locking.execute("lock table pgqueue.r_stuck in access exclusive mode")
    else:
        tables = "select string_agg(t, ', ') from unnest(pgqueue.tables_of('stuck', 'rlmc')) t"
        (names,) = locking.execute(tables).fetchone() or ("",)
        locking.execute(f"lock table {names} in access exclusive mode".encode())
    blocked = (
        "select count(*) > 0 from pg_locks l where not l.granted and l.relation::regclass::text ~ '_stuck'"
    )
    eventually(lambda: db.execute(blocked).fetchone() == (True,))
    for n in range(1, 6):
        queues.send("orders", n)
        queues.send("mails", n)
        worker.wait_for_mark("orders", n, timeout=3)
        worker.wait_for_mark("mails", n, timeout=3)
    eventually(lambda: left(db, "orders") + left(db, "mails") == 0)
    locking.execute("commit")
    queues.send("stuck", 1)
    worker.wait_for_mark("stuck")


def test_backlogs_are_worked_off_by_weight(begin: Begin, queues: PgQueue, db: psycopg.Connection) -> None:
    for queue in ("orders", "mails"):
        queues.run(calls.configure_queue(queue, {"batch": 20}))
        queues.send_many(queue, list(range(6000)))
    worker = begin(APP, "orders:3", "mails", PGQUEUE_CONCURRENCY="4")
    counts = "select 6000 - (select depth from pgqueue.depth('orders')), 6000 - (select depth from pgqueue.depth('mails'))"

    def far_enough() -> tuple[int, int] | None:
        ((orders, mails),) = db.execute(counts).fetchall()
        return (orders, mails) if orders + mails >= 3000 else None

    orders, mails = eventually(far_enough, 30) or (0, 0)
    worker.terminate()
    assert orders + mails < 7000, "it was looked at too late"
    assert orders / (orders + mails) == pytest.approx(0.75, abs=0.1)


def test_two_processes_keep_a_limit_on_leases_and_one_that_dies_leaks_nothing(
    begin: Begin, queues: PgQueue, db: psycopg.Connection
) -> None:
    settings = {"max_in_flight": 3, "vt": 1, "health_stale": 30}
    queues.run(calls.configure_queue("orders", settings))
    queues.send_many("orders", list(range(9)))
    first, second = begin(SLOW_APP, "orders"), begin(SLOW_APP, "orders")
    first.wait_for_mark("started", 3)
    db.execute("select pg_sleep(0.15)")
    assert first.marked("started") == 3, "both count the same"
    flying = "select in_flight from pgqueue.depth('orders')"
    assert db.execute(flying).fetchone() == (3,)
    (first if first.events("consumer.started") else second).kill()
    for n in range(9):
        second.let(f"go-{n}")
    eventually(lambda: left(db, "orders") == 0, 20)


def test_a_rate_is_kept_by_two_processes(begin: Begin, queues: PgQueue, db: psycopg.Connection) -> None:
    queues.run(calls.configure_queue("orders", {"rate_limit": 20, "rate_burst": 2}))
    begun = db.execute("select clock_timestamp()").fetchone()
    assert begun is not None
    queues.send_many("orders", list(range(40)))
    workers = [begin(APP, "orders"), begin(APP, "orders")]
    eventually(lambda: left(db, "orders") == 0, 20)
    took = db.execute("select extract(epoch from clock_timestamp() - %s)::float", begun).fetchone()
    assert took is not None
    assert took[0] >= 38 / 20
    assert workers[0].marked("orders") == 40


def test_a_dropped_queue_is_asked_seldom_the_others_go_on_and_made_again_it_is_consumed(
    begin: Begin, queues: PgQueue, db: psycopg.Connection
) -> None:
    worker = begin(APP, "orders", "mails")
    queues.drop_queue("orders")
    (event,) = worker.wait_for("read.failed")
    assert event["queue"] == "orders"
    queues.send("mails", 1)
    worker.wait_for_mark("mails")
    queues.create_queue("orders")
    queues.send("orders", 1)
    worker.wait_for_mark("orders")
    worker.wait_for("read.resumed")
    assert len(worker.events("read.failed")) == 1
    assert worker.events("settings.refused") == []
    worker.terminate()
    assert worker.end() == 0


def test_new_limits_reach_a_running_consumer(begin: Begin, queues: PgQueue) -> None:
    worker = begin(APP, "orders")
    queues.run(calls.configure_queue("orders", {"max_in_flight": 7}))
    (event,) = worker.wait_for("settings.changed")
    assert "limited=True" in event["after"]
