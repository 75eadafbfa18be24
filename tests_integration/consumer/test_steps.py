"""`ctx.once`: a step that was committed is never done again; in SQL, and in handlers whose processes die."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable
from typing import Any

import psycopg
import pytest

from pgqueue import PgQueue
from pgqueue.errors import InvalidInput, QueueBusy, StaleReceipt
from pgqueue.message import calls
from pgqueue.queue import calls as queue_calls
from pgqueue.task import payload
from tests_integration.consumer.conftest import StartWorker
from tests_integration.fixtures.database import Database
from tests_integration.fixtures.door import Door
from tests_integration.fixtures.verbs import KINDS, Kind
from tests_integration.fixtures.waiting import eventually, wait_until_blocked

Rows = Callable[[], list[tuple[Any, ...]]]

AT_ONCE = {"base": 0.001, "factor": 1, "cap": 0.001, "jitter": 0}


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> Kind:
    found: Kind = request.param
    return found


@pytest.fixture
def steps(db: psycopg.Connection) -> Callable[[], list[tuple[str, int, str]]]:
    return lambda: db.execute("select queue, msg_id, step from pgqueue.step order by 1, 2, 3").fetchall()


def begin(connection: psycopg.Connection, held: Any, step: str, queue: str = "orders") -> bool:
    call = calls.begin_step(queue, held.msg_id, held.receipt, step)
    return call.parse(connection.execute(call.sql.encode(), call.params).fetchall())


def claim(client: PgQueue, **rest: Any) -> Any:
    client.send("orders", {"n": 1})
    (held,) = client.read("orders", **rest)
    return held


def test_a_step_is_begun_once_and_a_rollback_undoes_it(
    client: PgQueue, db: psycopg.Connection, steps: Rows, door: Door
) -> None:
    held = claim(client)
    other = door.connect(autocommit=False)
    assert begin(other, held, "mail") is True
    other.rollback()
    assert steps() == []
    assert begin(other, held, "mail") is True
    other.commit()
    assert begin(other, held, "mail") is False
    assert begin(other, held, "invoice") is True
    other.commit()
    assert steps() == [("orders", held.msg_id, "invoice"), ("orders", held.msg_id, "mail")]


def test_a_step_is_fenced_by_the_receipt_and_a_refused_one_is_not_noted(
    client: PgQueue, db: psycopg.Connection, steps: Rows
) -> None:
    held = claim(client)
    invented = held._replace(receipt=held.receipt + 1)
    with pytest.raises(StaleReceipt, match="stale"):
        begin(db, invented, "mail")
    client.release("orders", held.msg_id, held.receipt)
    with pytest.raises(StaleReceipt, match="stale"):
        begin(db, held, "mail")
    (again,) = client.read("orders")
    with pytest.raises(StaleReceipt, match="stale"):
        begin(db, held, "mail")
    assert steps() == []
    assert begin(db, again, "mail") is True
    client.delete("orders", again.msg_id, again.receipt)
    with pytest.raises(StaleReceipt, match="gone"):
        begin(db, again, "invoice")
    assert [step for *_, step in steps()] == ["mail"]


def test_a_lease_that_ran_out_and_nobody_took_is_still_good(
    client: PgQueue, db: psycopg.Connection, clock: Any
) -> None:
    held = claim(client, vt=1)
    clock.advance(60)
    assert begin(db, held, "mail") is True


def test_a_redelivery_finds_the_steps_done_on_either_side_of_the_log(
    client: PgQueue, db: psycopg.Connection, clock: Any
) -> None:
    first = claim(client, vt=1)
    assert begin(db, first, "a") is True
    for n in range(3):
        clock.advance(60)
        (again,) = client.read("orders", vt=1)
        assert again.read_ct == n + 2
        assert begin(db, again, "a") is False


def test_two_holders_at_the_same_step_wait_for_each_other_and_one_does_it(
    client: PgQueue, db: psycopg.Connection, database: Database, clock: Any
) -> None:
    first = claim(client, vt=1)
    old, new = database.connect(autocommit=False), database.connect(autocommit=False)
    assert begin(old, first, "mail") is True
    clock.advance(60)
    (second,) = client.read("orders", vt=60)
    found: list[bool] = []
    thread = threading.Thread(target=lambda: found.append(begin(new, second, "mail")))
    thread.start()
    wait_until_blocked(db, new.info.backend_pid)
    old.commit()
    thread.join(10)
    assert found == [False]
    with pytest.raises(StaleReceipt):
        begin(old, first, "another")


def test_a_holder_that_hangs_at_a_step_is_not_waited_for_without_end(
    client: PgQueue, db: psycopg.Connection, database: Database
) -> None:
    held = claim(client)
    hanging = database.connect(autocommit=False)
    begin(hanging, held, "mail")
    call = calls.begin_step("orders", held.msg_id, held.receipt, "mail")
    with pytest.raises(QueueBusy, match="step"):
        client.run(call)


@pytest.mark.parametrize("bad", ["null::text", "''", "repeat('x', 256)"])
def test_a_bad_name_is_refused_in_sql_too(client: PgQueue, db: psycopg.Connection, bad: str) -> None:
    held = claim(client)
    with pytest.raises(psycopg.Error, match="step") as raised:
        db.execute(f"select pgqueue.begin_step('orders', {held.msg_id}, {held.receipt}, {bad})".encode())
    assert raised.value.sqlstate == "PQ002"
    with pytest.raises(InvalidInput):
        calls.begin_step("orders", 1, 1, "")


def upkeep(client: PgQueue) -> None:
    for _ in range(40):  # where it begins is left to chance
        client.run(queue_calls.maintain("orders"))


def test_steps_go_with_their_message_and_stay_with_what_can_still_run(
    client: PgQueue, db: psycopg.Connection, steps: Rows
) -> None:
    """Acked, archived and purged ones are forgotten; waiting, leased and dead ones are not."""
    ends = ["delete", "archive", "bury", "retry", "nothing", "release"]
    for _ in ends:
        client.send("orders", {"n": 1})
    held = client.read("orders", qty=len(ends))
    for one in held:
        assert begin(db, one, "mail")
    deleted, archived, buried, retried, _, released = held
    client.delete("orders", deleted.msg_id, deleted.receipt)
    client.archive("orders", archived.msg_id, archived.receipt)
    client.bury("orders", buried.msg_id, "bad", receipt=buried.receipt)
    client.retry("orders", retried.msg_id, 60, receipt=retried.receipt)
    client.release("orders", released.msg_id, released.receipt)
    upkeep(client)
    assert [msg_id for _, msg_id, _ in steps()] == [one.msg_id for one in held[2:]]
    client.purge_queue("orders")
    upkeep(client)
    assert [msg_id for _, msg_id, _ in steps()] == [buried.msg_id]


def test_a_redriven_message_has_done_the_steps_of_the_dead_one(
    client: PgQueue, db: psycopg.Connection, steps: Rows
) -> None:
    held = claim(client)
    begin(db, held, "mail")
    client.bury("orders", held.msg_id, "bad", receipt=held.receipt)
    ((_, new_id),) = db.execute("select * from pgqueue.redrive('orders')").fetchall()
    upkeep(client)
    assert steps() == [("orders", new_id, "mail")]
    (again,) = client.read("orders")
    assert again.msg_id == new_id
    assert begin(db, again, "mail") is False
    assert begin(db, again, "invoice") is True


def test_a_dropped_queue_forgets_its_steps_and_leaves_those_of_others(
    client: PgQueue, db: psycopg.Connection, steps: Rows, kind: Kind
) -> None:
    client.create_queue("others", kind)
    client.send("others", 1)
    (other,) = client.read("others")
    begin(db, other, "mail", queue="others")
    begin(db, claim(client), "mail")
    client.drop_queue("orders", force=True)
    assert steps() == [("others", other.msg_id, "mail")]


def test_old_steps_of_the_living_dont_keep_those_of_the_gone(
    client: PgQueue, db: psycopg.Connection, kind: Kind
) -> None:
    """A thousand dead letters stand at the front; the gone behind them are found all the same, a bounded part at a time."""
    client.send_many("orders", [1] * 1000)
    for one in client.read("orders", qty=1000):
        client.bury("orders", one.msg_id, "bad", receipt=one.receipt)
    db.execute(
        "insert into pgqueue.step select 'orders', n, 's', pgqueue.clock() from generate_series(1, 3000) n"
    )
    removed = db.execute("select pgqueue.forget_steps__orders()").fetchone()
    assert removed is not None
    assert removed[0] <= 1000
    eventually(lambda: _left(client, db) == 1000)


def _left(client: PgQueue, db: psycopg.Connection) -> int:
    client.run(queue_calls.maintain("orders"))
    row = db.execute("select count(*) from pgqueue.step").fetchone()
    assert row is not None
    return int(row[0])


@pytest.fixture
def effects(db: psycopg.Connection) -> Callable[[], list[str]]:
    db.execute("create table public.effects (what text)")
    return lambda: [row[0] for row in db.execute("select what from public.effects order by 1").fetchall()]


STEPS = """
INSERT = "insert into public.effects values (%s)"

@app.task("plain", queue="orders", backoff=Backoff(0.01, 1, 0.01, 0))
def plain(n, ctx: Context):
    for step in ("a", "b", "c"):
        with ctx.once(step) as connection:
            if connection:
                connection.execute(INSERT, (f"{n}{step}",))
    mark("done")

@app.task("async", queue="orders", backoff=Backoff(0.01, 1, 0.01, 0))
async def asynchronous(n, ctx: Context):
    for step in ("a", "b", "c"):
        async with ctx.once(step) as connection:
            if connection:
                await connection.execute(INSERT, (f"{n}{step}",))
        if step == "b" and ctx.attempt < 3:
            raise ValueError("after b")
    async with ctx.tx() as connection:
        if await ctx.once("d").on(connection):
            await connection.execute(INSERT, (f"{n}d",))
    mark("done")
"""


def test_steps_of_a_handler_that_fails_midway_are_done_once(
    start: StartWorker, client: PgQueue, waiting: Rows, effects: Callable[[], list[str]], door: Door
) -> None:
    client.send("orders", payload.build("async", [1], {}))
    worker = start(STEPS, dsn=door.conninfo)
    eventually(lambda: not waiting())
    assert effects() == ["1a", "1b", "1c", "1d"]
    assert len(worker.events("message.failed")) == 2


def test_steps_are_done_once_whenever_the_process_is_killed(
    start: StartWorker, client: PgQueue, waiting: Rows, effects: Callable[[], list[str]]
) -> None:
    client.configure_queue("orders", {"max_reads": 1000})
    count = 150
    client.send_many("orders", [payload.build("plain", [n], {}) for n in range(count)])
    options = ("--vt", "1", "--health-stale", "5", "--concurrency", "4")

    def moved_on(before: int) -> bool:
        return len(effects()) > before + 20 or not waiting()

    for _ in range(3):
        worker = start(STEPS, *options)
        before = len(effects())
        eventually(functools.partial(moved_on, before), 10)
        worker.kill()
    start(STEPS, *options)
    eventually(lambda: not waiting(), 20)
    assert effects() == sorted(f"{n}{step}" for n in range(count) for step in "abc")


def test_a_step_that_fails_is_tried_again(
    start: StartWorker, client: PgQueue, waiting: Rows, effects: Callable[[], list[str]]
) -> None:
    client.send("orders", payload.build("t", [], {}))
    start("""
        @app.task("t", queue="orders", backoff=Backoff(0.01, 1, 0.01, 0))
        def t(ctx: Context):
            with ctx.once("a") as connection:
                connection.execute("insert into public.effects values (%s)", (str(ctx.attempt),))
                if ctx.attempt < 3: raise ValueError("inside")
        """)
    eventually(lambda: not waiting())
    assert effects() == ["3"]
