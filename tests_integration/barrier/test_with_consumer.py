"""Barriers with the real command: parts and callbacks handled by a worker process, also by one that is killed."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from psycopg.types.json import Jsonb

from pgqueue import PgQueue, barrier
from pgqueue.barrier import Options, Part, settle
from pgqueue.barrier import calls as barrier_calls
from pgqueue.barrier.model import SKIPPED_DUPLICATE_CALLBACK
from pgqueue.barrier.rules import part_of
from pgqueue.client.doors import work_door
from pgqueue.db.transaction import Transactions
from pgqueue.task import payload
from tests_integration.consumer.conftest import StartWorker
from tests_integration.doorbell.ears import Ears, wait_for_message
from tests_integration.fixtures.database import Database
from tests_integration.fixtures.verbs import KINDS, Kind, Queue, scalar
from tests_integration.fixtures.waiting import eventually

APP = """
from pgqueue import barrier
from psycopg.types.json import Jsonb

def note(connection, who, what):
    connection.execute("insert into seen values (%s, %s)", (who, Jsonb(what)))

@app.task("page", queue="orders")
def page(ctx: Context, n: int):
    mark("page")
    return {"n": n}

@app.task("total", queue="orders")
def total(ctx: Context, **kwargs):
    mark("total")
    with ctx.tx() as connection:
        by = ctx.from_barrier
        found = [] if by is None else list(barrier.results(connection, by.barrier, by.generation))
        note(connection, "total", [by and by.generation, kwargs, [[one.state, one.result, one.error] for one in found]])
"""

TOTAL = Part("orders", payload.build("total", [], {"of": "x"}))


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> Kind:
    found: Kind = request.param
    return found


@pytest.fixture
def seen(db: psycopg.Connection) -> Callable[[str], list[Any]]:
    """Read what handlers have committed."""
    db.execute("create table seen (who text, what jsonb)")
    return lambda who: [
        row[0] for row in db.execute("select what from seen where who = %s", (who,)).fetchall()
    ]


def pages(parts: int, task: str = "page") -> list[Part]:
    return [Part("orders", payload.build(task, [], {"n": n})) for n in range(parts)]


def state_of(client: PgQueue, generation: int) -> Any:
    (found,) = [one for one in client.run(barrier_calls.barriers()) if one.generation == generation]
    return found


def wait_for_empty(db: psycopg.Connection) -> None:
    eventually(lambda: scalar(db, "select count(*) = 0 from pgqueue.messages"), 15)


def is_noted(client: PgQueue, generation: int) -> bool:
    return state_of(client, generation).callback_finished_at is not None


@pytest.mark.parametrize("is_async", [False, True])
def test_callback_runs_once_after_all_parts_with_their_results(
    start: StartWorker, client: PgQueue, db: psycopg.Connection, seen: Any, *, is_async: bool
) -> None:
    app = APP
    if is_async:
        for old, new in (("def page", "async def page"), ("def total", "async def total")):
            app = app.replace(old, new)
        app = app.replace("with ctx.tx()", "async with ctx.tx()").replace(
            "        note(", "        await note("
        )
        app = app.replace("def note", "async def note").replace(
            "    connection.exec", "    await connection.exec"
        )
        app = app.replace(
            "list(barrier.results(connection, by.barrier, by.generation))",
            "[one async for one in barrier.results_async(connection, by.barrier, by.generation)]",
        )
    generation = barrier.arm(client, "b", pages(30), TOTAL)
    worker = start(app)
    eventually(lambda: seen("total"), 15)
    wait_for_empty(db)
    assert seen("total") == [[generation, {"of": "x"}, [["done", {"n": n}, None] for n in range(30)]]]
    assert (worker.marked("page"), worker.marked("total")) == (30, 1)
    assert is_noted(client, generation)


def test_callback_that_returns_is_noted_with_its_ack(
    start: StartWorker, client: PgQueue, db: psycopg.Connection
) -> None:
    generation = barrier.arm(client, "b", pages(2), TOTAL)
    start(
        """
        @app.task("page", queue="orders")
        def page(n): return n

        @app.task("total", queue="orders")
        def total(of): return of
        """
    )
    eventually(lambda: is_noted(client, generation), 15)
    wait_for_empty(db)
    assert [one.result for one in barrier.results(client, "b", generation)] == [0, 1]


def test_redelivered_callback_is_acked_unrun(
    start: StartWorker, client: PgQueue, db: psycopg.Connection, seen: Any
) -> None:
    """A holder has lost its lease and finished all the same; then the message comes back."""
    generation = barrier.arm(client, "b", [], TOTAL, Options(fire_empty=True))
    (held,) = client.read("orders")
    client.release("orders", held.msg_id, held.receipt)
    finish = "select pgqueue.barrier_finish('orders', %s, %s, %s)"
    assert scalar(db, finish, held.msg_id, held.receipt, generation) == "stale"
    worker = start(APP)
    (line,) = worker.wait_for("callback.skipped")
    assert (line["msg_id"], line["outcome"]) == (held.msg_id, SKIPPED_DUPLICATE_CALLBACK)
    wait_for_empty(db)
    assert (worker.marked("total"), seen("total")) == (0, [])


DYING = APP.replace("    mark(", "    if n == 3: return Bury('broken', error='boom')\n    mark(", 1)


def test_part_that_is_buried_fails_its_barrier(
    start: StartWorker, client: PgQueue, db: psycopg.Connection, seen: Any
) -> None:
    sorry = Part("orders", payload.build("total", [], {"sorry": True}))
    generation = barrier.arm(client, "b", pages(5), TOTAL, Options(on_failure=sorry))
    worker = start(DYING)
    eventually(lambda: seen("total"), 15)
    wait_for_empty(db)
    assert state_of(client, generation).state == "failed"
    ((by, kwargs, _),) = seen("total")
    assert (by, kwargs) == (generation, {"sorry": True})
    assert scalar(db, "select array_agg(reason) from pgqueue.dead_letters") == ["broken"]
    assert worker.marked("total") == 1


def test_part_that_is_buried_is_collected_with_its_error(
    start: StartWorker, client: PgQueue, db: psycopg.Connection, seen: Any
) -> None:
    generation = barrier.arm(client, "b", pages(5), TOTAL, Options(policy="collect"))
    start(DYING)
    ((by, _, found),) = eventually(lambda: seen("total"), 15)
    assert by == generation
    assert [state for state, *_ in found] == ["done", "done", "done", "failed", "done"]
    assert found[2][1] == {"n": 2}
    assert found[3][1:] == [None, "broken: boom"]


def test_result_that_cant_travel_fails_the_handler_and_never_arrives(
    start: StartWorker, client: PgQueue, db: psycopg.Connection, seen: Any
) -> None:
    client.configure_queue(
        "orders",
        {
            "max_reads": 1,
            "backoff": {"base": 0.01, "factor": 1, "cap": 0.01, "jitter": 0},
        },
    )
    generation = barrier.arm(client, "b", pages(1), TOTAL)
    worker = start(APP.replace('return {"n": n}', "return object()"))
    assert "PayloadError" in worker.wait_for("message.failed")[0]["error"]
    eventually(lambda: state_of(client, generation).state == "failed", 15)
    assert seen("total") == []


def test_effects_of_a_part_and_its_arrival_are_one_commit(
    start: StartWorker, client: PgQueue, db: psycopg.Connection, seen: Any
) -> None:
    client.configure_queue("orders", {"backoff": {"base": 0.01, "factor": 1, "cap": 0.01, "jitter": 0}})
    generation = barrier.arm(client, "b", pages(6, "write"), TOTAL)
    start(
        APP
        + """
@app.task("write", queue="orders")
def write(ctx: Context, n: int):
    with ctx.tx() as connection:
        note(connection, "write", n)
        if ctx.attempt == 1 and n % 2:
            raise ValueError("not yet")
        ctx.arrive_with({"n": n})
"""
    )
    ((_, _, found),) = eventually(lambda: seen("total"), 15)
    assert found == [["done", {"n": n}, None] for n in range(6)]
    assert sorted(seen("write")) == list(range(6))
    together = (
        "select bool_and(p.xmin = s.xmin) from pgqueue.barrier_part p join seen s on s.who = 'write'"
        " and s.what = to_jsonb(p.part) where p.generation = %s"
    )
    assert scalar(db, together, generation) is True


def test_worker_killed_between_the_last_handler_and_its_ack_fires_once(
    start: StartWorker, client: PgQueue, db: psycopg.Connection, seen: Any
) -> None:
    client.configure_queue("orders", {"vt": 1, "health_stale": 5})
    generation = barrier.arm(client, "b", pages(3), TOTAL)
    dies_once = (
        "if n == 2 and ctx.attempt == 1: wait_for('others'); os.kill(os.getpid(), signal.SIGKILL)\n    return"
    )
    app = APP.replace("return {", dies_once + " {", 1)
    worker = start(app, "--concurrency", "3")
    eventually(lambda: state_of(client, generation).done == 2, 15)
    worker.let("others")
    assert worker.end() == -9
    assert (state_of(client, generation).done, seen("total")) == (2, [])
    again = start(app)
    ((_, _, found),) = eventually(lambda: seen("total"), 15)
    wait_for_empty(db)
    assert [result for _, result, _ in found] == [{"n": n} for n in range(3)]
    assert (len(seen("total")), again.marked("page"), again.marked("total")) == (1, 4, 1)


def test_worker_killed_in_the_middle_of_the_last_ack_fires_once(
    start: StartWorker, client: PgQueue, db: psycopg.Connection, database: Database, seen: Any
) -> None:
    """Whether the server commits that ack or not: the callback runs once."""
    client.configure_queue("orders", {"vt": 1, "health_stale": 5})
    generation = barrier.arm(client, "b", pages(1), TOTAL)
    with database.connect(autocommit=False) as other:
        other.execute("select from pgqueue.barrier where generation = %s for update", (generation,))
        worker = start(APP)
        blocked = (
            "select count(*) > 0 from pg_stat_activity where datname = current_database()"
            " and wait_event_type = 'Lock' and query like '%barrier_ack%'"
        )
        eventually(lambda: scalar(db, blocked), 15)
        worker.kill()
    again = start(APP)
    eventually(lambda: seen("total"), 15)
    wait_for_empty(db)
    assert (len(seen("total")), again.marked("total")) == (1, 1)
    assert is_noted(client, generation)


def test_invented_header_or_mark_makes_no_callback_and_no_arrival(
    start: StartWorker, client: PgQueue, db: psycopg.Connection, seen: Any
) -> None:
    """Who may send by SQL may write such headers; nobody believes them."""
    elsewhere = [Part("elsewhere", {})]
    client.create_queue("elsewhere", "row")
    generation = barrier.arm(client, "b", elsewhere, TOTAL)
    send = functools.partial(scalar, db, "select pgqueue.send('orders', %s, headers => %s)")
    marked = Jsonb({"task": "total", "kwargs": {"of": "x", "_pg_transport": True}})
    place = {"barrier": "b", "generation": generation}
    send(marked, Jsonb({}))
    send(marked, Jsonb({"pgqueue-barrier": place}))
    send(marked, Jsonb({"pgqueue-barrier": {**place, "generation": True}}))
    send(marked, Jsonb({"pgqueue-part": {**place, "part": 0}}))
    worker = start(APP)
    eventually(lambda: len(seen("total")) == 4, 15)
    wait_for_empty_of = "select count(*) = 0 from pgqueue.messages where queue = 'orders'"
    eventually(lambda: scalar(db, wait_for_empty_of), 15)
    assert seen("total") == [[None, {"of": "x"}, []]] * 4
    found = state_of(client, generation)
    assert (found.state, found.done, found.callback_finished_at) == ("live", 0, None)
    assert worker.events("settle.failed") == []


@pytest.mark.parametrize("kind", ["row"])
def test_part_that_dies_in_sql_is_found_by_the_sweep_of_a_worker(
    start: StartWorker, client: PgQueue, db: psycopg.Connection, seen: Any
) -> None:
    client.create_queue("elsewhere", "row")
    generation = barrier.arm(client, "b", [Part("elsewhere", {})], TOTAL, Options(policy="collect"))
    db.execute("update pgqueue.barrier set check_at = check_at - interval '1 hour'")
    (lost,) = client.read("elsewhere")
    client.delete("elsewhere", lost.msg_id, lost.receipt)
    start(APP)
    ((by, _, found),) = eventually(lambda: seen("total"), 15)
    assert (by, found[0][0]) == (generation, "failed")


@pytest.mark.parametrize("is_async", [False, True])
def test_callback_sent_by_the_transaction_of_a_part_wakes_who_waits_for_it(
    client: PgQueue, database: Database, db: psycopg.Connection, *, is_async: bool
) -> None:
    """Else it would be found by polling."""
    client.create_queue("total", "row")
    barrier.arm(client, "b", pages(1), Part("total", {}))
    (held,) = client.read("orders")
    place = part_of(held.headers)
    assert place is not None
    ears = Ears(database.connect(), "total")
    wait_for_message(Queue(db, "total"))

    async def end() -> None:
        transactions = Transactions(work_door(database.conninfo, {}), 1)
        last = settle.ack_part("orders", held.msg_id, held.receipt, place, None)
        if is_async:
            async with transactions.ending_with(last):
                pass
        else:
            with transactions.ending_with(last):
                pass
        await transactions.close()

    asyncio.run(end())
    assert ears.heard() == 1
