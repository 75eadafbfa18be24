"""Leases while handlers run, and when processes die: nothing is lost, nothing is done twice by us."""

from __future__ import annotations

import functools
import signal
from collections.abc import Callable
from typing import Any

import psycopg
import pytest

from pgqueue import PgQueue
from pgqueue.task import payload
from tests_integration.consumer.conftest import StartWorker
from tests_integration.fixtures.bouncer import Bouncer
from tests_integration.fixtures.database import Database
from tests_integration.fixtures.waiting import eventually

Rows = Callable[[], list[tuple[Any, ...]]]

SLOW = """
@app.task("t", queue="orders")
def t(name="go"):
    mark("started")
    wait_for(name)
    mark("ended")
"""


@pytest.fixture
def effects(db: psycopg.Connection) -> Callable[[], list[int]]:
    db.execute("create table public.effects (n int)")
    return lambda: [row[0] for row in db.execute("select n from public.effects order by n").fetchall()]


def test_a_message_of_a_killed_process_comes_back_after_vt(
    start: StartWorker, client: PgQueue, waiting: Rows
) -> None:
    client.send("orders", payload.build("t", [], {}))
    first = start(SLOW, "--vt", "1", "--health-stale", "5")
    first.wait_for_mark("started")
    first.kill()
    ((_, state, read_ct, _, _),) = waiting()
    assert (state, read_ct) == ("in_flight", 1)
    second = start(SLOW, "--vt", "1", "--health-stale", "5")
    second.wait_for_mark("started", 2)
    second.let("go")
    eventually(lambda: not waiting())
    assert second.marked("ended") == 1


def test_a_long_handler_keeps_its_lease(start: StartWorker, client: PgQueue, waiting: Rows) -> None:
    client.send("orders", payload.build("t", [], {}))
    busy = """
    @app.task("t", queue="orders")
    async def t():
        mark("started")
        wait_for("go")  # blocks the loop: the renewal must not need it
        mark("ended")
    """
    worker = start(busy, "--vt", "1", "--health-stale", "20")
    start(busy, "--vt", "1", "--health-stale", "20")
    worker.wait_for_mark("started")
    renewed = "select vt - last_read_at > interval '2.5 s' from pgqueue.messages"
    with client_connection(client) as connection:
        eventually(lambda: connection.execute(renewed).fetchone() == (True,))
    worker.let("go")
    eventually(lambda: not waiting())
    assert worker.marked("started") == 1


def test_no_handler_holds_a_message_beyond_health_stale(
    start: StartWorker, client: PgQueue, waiting: Rows
) -> None:
    client.send("orders", payload.build("t", [], {}))
    stuck = start(SLOW, "--vt", "0.3", "--health-stale", "0.6", "--concurrency", "1")
    stuck.wait_for("message.outlived")
    other = start(SLOW, "--vt", "10", "--health-stale", "20", "--concurrency", "1")
    other.wait_for_mark("started", 2)
    other.let("go")
    eventually(lambda: not waiting())
    stuck.wait_for("message.lease_lost")
    assert len(stuck.events("message.outlived")) == 1


def test_a_lost_lease_is_seen_and_its_transaction_rolls_back(
    start: StartWorker, client: PgQueue, db: psycopg.Connection, effects: Callable[[], list[int]]
) -> None:
    msg_id = client.send("orders", payload.build("t", [], {}))
    worker = start(
        """
        @app.task("t", queue="orders")
        def t(ctx: Context):
            mark("started")
            while ctx.still_mine(): time.sleep(0.01)
            mark("lost")
            with ctx.tx() as connection:
                connection.execute("insert into public.effects values (1)")
        """,
        "--vt", "1", "--health-stale", "20", "--concurrency", "1",
    )  # fmt: skip
    worker.wait_for_mark("started")
    client.release("orders", msg_id)
    (mine,) = eventually(lambda: client.read("orders", vt=60))
    worker.wait_for("message.failed")
    assert worker.events("message.lease_lost")
    assert "StaleReceipt" in worker.events("message.failed")[0]["error"]
    assert effects() == []
    assert client.delete("orders", msg_id, mine.receipt) == "done"


def test_effects_and_ack_are_one_commit_whenever_the_process_is_killed(
    start: StartWorker, client: PgQueue, waiting: Rows, effects: Callable[[], list[int]]
) -> None:
    count = 400
    client.send_many("orders", [payload.build("t", [n], {}) for n in range(count)])
    app = """
    @app.task("t", queue="orders")
    async def t(n, ctx: Context):
        async with ctx.tx() as connection:
            await connection.execute("insert into public.effects values (%s)", (n,))
    """

    def moved_on(before: int) -> bool:
        return len(effects()) > before or not waiting()

    for _ in range(3):
        worker = start(app, "--vt", "1", "--health-stale", "5", "--concurrency", "4")
        before = len(effects())
        eventually(functools.partial(moved_on, before), 10)
        worker.kill()
    start(app, "--vt", "1", "--health-stale", "5", "--concurrency", "4")
    eventually(lambda: not waiting(), 20)
    assert effects() == list(range(count))


def test_an_ack_survives_a_pooler_that_restarts_during_the_handler(
    start: StartWorker, client: PgQueue, waiting: Rows, own_bouncer: Bouncer, database: Database
) -> None:
    client.send("orders", payload.build("t", [], {}))
    worker = start(SLOW, dsn=own_bouncer.conninfo(database.name))
    worker.wait_for_mark("started")
    own_bouncer.restart()
    worker.let("go")
    eventually(lambda: not waiting())
    assert worker.marked("started") == 1
    assert worker.process.poll() is None


def test_a_task_that_outlives_the_poolers_patience_is_acked_once(
    start: StartWorker, client: PgQueue, waiting: Rows, own_bouncer: Bouncer, database: Database
) -> None:
    """U23: PgBouncer reaps what is idle while the handler runs."""
    own_bouncer.set("client_idle_timeout", 1)
    client.send("orders", payload.build("t", [], {}))
    worker = start(SLOW, "--concurrency", "1", "--no-listen", dsn=own_bouncer.conninfo(database.name))
    worker.wait_for_mark("started")
    worker.process.send_signal(signal.SIGSTOP)  # else upkeep uses the connection once a second
    eventually(lambda: not any(database.name in map(str, row) for row in own_bouncer.admin("SHOW CLIENTS")))
    worker.process.send_signal(signal.SIGCONT)
    worker.let("go")
    eventually(lambda: not waiting())
    assert worker.marked("started") == worker.marked("ended") == 1
    assert worker.events("connection.dropped") or worker.events("call.repeated")
    assert worker.events("message.lease_lost") == []
    assert worker.process.poll() is None


def test_a_transaction_that_the_block_ends_itself_is_no_ack(
    start: StartWorker, client: PgQueue, waiting: Rows, effects: Callable[[], list[int]]
) -> None:
    client.configure_queue("orders", {"backoff": {"base": 900, "factor": 1, "cap": 900, "jitter": 0}})
    for way in ("commit()", "execute('commit')", "close()", "execute('rollback')"):
        client.send("orders", payload.build("t", [way], {}))
    worker = start("""
        @app.task("t", queue="orders")
        def t(way, ctx: Context):
            with ctx.tx() as connection:
                eval("connection." + way)
        """)
    worker.wait_for("message.failed", 4)
    eventually(lambda: all(row[4] for row in waiting()))
    assert [row[1] for row in waiting()] == ["retry"] * 4


def test_a_failed_statement_that_the_block_swallows_writes_nothing(
    start: StartWorker, client: PgQueue, waiting: Rows, effects: Callable[[], list[int]]
) -> None:
    client.configure_queue("orders", {"backoff": {"base": 900, "factor": 1, "cap": 900, "jitter": 0}})
    client.send("orders", payload.build("t", [], {}))
    worker = start("""
        @app.task("t", queue="orders")
        def t(ctx: Context):
            with ctx.tx() as connection:
                connection.execute("insert into public.effects values (1)")
                try: connection.execute("select 1/0")
                except Exception: pass
        """)
    worker.wait_for("message.failed")
    assert "ClientMisuse" in worker.events("message.failed")[0]["error"]
    assert effects() == []
    assert len(waiting()) == 1


def test_settings_that_a_block_changes_end_with_it(
    start: StartWorker, client: PgQueue, waiting: Rows, effects: Callable[[], list[int]]
) -> None:
    client.send_many("orders", [payload.build("t", [n], {}) for n in range(2)])
    worker = start(
        """
        from psycopg.rows import dict_row
        @app.task("t", queue="orders")
        def t(n, ctx: Context):
            with ctx.tx() as connection:
                path = connection.execute("show search_path").fetchone()[0]
                mark("clean" if "public" in path else "dirty")
                connection.execute("insert into public.effects values (%s)", (n,))
                connection.execute("set search_path = pg_catalog")
                connection.row_factory = dict_row
        """,
        "--concurrency", "1",
    )  # fmt: skip
    eventually(lambda: not waiting())
    assert (worker.marked("clean"), effects()) == (2, [0, 1])


COMMITTING = """
    @app.task("t", queue="orders", backoff=Backoff(0.01, 1, 0.01, 0))
    async def t(ctx: Context):
        mark("started")
        async with ctx.tx() as connection:
            await connection.execute("insert into public.effects values (%s)", (ctx.attempt,))
    """


@pytest.fixture
def commits_wait(db: psycopg.Connection, effects: Callable[[], list[int]]) -> Callable[[], int | None]:
    """Let the commit of every effect wait for a lock that `db` holds; returns the pid of one that waits."""
    db.execute("""
        create function public.wait_at_commit() returns trigger language plpgsql as
        $$ begin perform pg_advisory_xact_lock(42); return null; end $$;
        create constraint trigger wait after insert on public.effects deferrable initially deferred
        for each row execute function public.wait_at_commit();
        select pg_advisory_lock(42)
    """)

    def waiting_backend() -> int | None:
        row = db.execute("select pid from pg_locks where locktype = 'advisory' and not granted").fetchone()
        return None if row is None else int(row[0])

    return waiting_backend


def test_a_commit_without_an_answer_is_left_to_the_lease(
    start: StartWorker, client: PgQueue, waiting: Rows, effects: Callable[[], list[int]], own_bouncer: Bouncer,
    database: Database, db: psycopg.Connection, commits_wait: Callable[[], int | None],
) -> None:  # fmt: skip
    client.send("orders", payload.build("t", [], {}))
    worker = start(COMMITTING, dsn=own_bouncer.conninfo(database.name))
    eventually(commits_wait)
    own_bouncer.kill()
    (event,) = worker.wait_for("message.failed")
    assert event["settled"]
    assert event["error"].startswith("InDoubt")
    db.execute("select pg_advisory_unlock(42)")
    own_bouncer.start()
    eventually(lambda: not waiting())
    assert effects() == [1]
    assert worker.marked("started") == 1


def test_a_commit_that_was_rolled_back_is_tried_again(
    start: StartWorker, client: PgQueue, waiting: Rows, effects: Callable[[], list[int]], db: psycopg.Connection,
    commits_wait: Callable[[], int | None],
) -> None:  # fmt: skip
    client.send("orders", payload.build("t", [], {}))
    start(COMMITTING)
    pid = eventually(commits_wait)
    db.execute("select pg_terminate_backend(%s)", [pid])
    eventually(lambda: commits_wait() not in (None, pid))
    db.execute("select pg_advisory_unlock(42)")
    eventually(lambda: not waiting())
    assert effects() == [2]


def client_connection(client: PgQueue) -> psycopg.Connection:
    return psycopg.connect(client._runner.door.conninfo(), autocommit=True)  # type: ignore[union-attr]
