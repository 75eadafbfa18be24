"""Poison on a real queue: the hook, its transaction, its budget, and the hard cap behind it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from psycopg.rows import namedtuple_row

from pgqueue import PgQueue
from pgqueue.task import payload
from tests_integration.consumer.conftest import StartWorker
from tests_integration.fixtures.door import Door
from tests_integration.fixtures.verbs import KINDS, Kind
from tests_integration.fixtures.waiting import eventually

Rows = Callable[[], list[tuple[Any, ...]]]

AT_ONCE = {"base": 0.001, "factor": 1, "cap": 0.001, "jitter": 0}


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> Kind:
    found: Kind = request.param
    return found


@pytest.fixture(autouse=True)
def _table(db: psycopg.Connection) -> None:
    db.execute("create table public.executions (id text primary key, org text, state text, reads int)")


def executions(db: psycopg.Connection) -> list[tuple[Any, ...]]:
    return db.execute("select id, org, state from public.executions order by id").fetchall()


def poisoned(client: PgQueue, message: Any, *, reads: int = 0, **settings: Any) -> int:
    """Send a message and read it so often that the next read is one too many; return its id."""
    client.configure_queue("orders", {"max_reads": 1, "backoff": AT_ONCE, **settings})
    msg_id = client.send("orders", message)
    for _ in range(1 + reads):
        (read,) = eventually(lambda: client.read("orders"))
        client.retry("orders", read.msg_id, 0, "ValueError: the last failure", read.receipt)
    return msg_id


RUN = """
@app.task("executions.run", queue="orders", identity=Identity(key=Arg(2), scope=Arg(0)))
def run(org, kind, execution_id):
    mark("run")
    raise ValueError("again")
"""
MARKING = """
@app.on_poison()
async def mark_failed(ctx: Context):
    mark("asked")
    async with ctx.tx() as connection:
        await connection.execute(
            "insert into public.executions values (%s, %s, 'ERROR', %s)",
            (ctx.identity.key, ctx.identity.scope, ctx.attempt))
    return Handled()
"""


def test_five_runs_then_the_sixth_read_is_the_hooks_whose_mark_and_the_burial_are_one_commit(
    start: StartWorker, client: PgQueue, db: psycopg.Connection, dead: Rows, waiting: Rows, door: Door
) -> None:
    """U63, U64, U70: the execution is known by position only, and marked before its message is dead."""
    client.configure_queue("orders", {"max_reads": 5, "backoff": AT_ONCE})
    client.send("orders", payload.build("executions.run", ["acme", "batch", "run-7"], {}))
    worker = start(RUN + MARKING, dsn=door.conninfo)
    ((_, reason, error),) = eventually(dead)
    assert (reason, error.split("\n")[0]) == ("handled", "ValueError: again")
    assert executions(db) == [("run-7", "acme", "ERROR")]
    assert db.execute("select reads from public.executions").fetchone() == (6,)
    assert (worker.marked("run"), worker.marked("asked"), waiting()) == (5, 1, [])


def test_a_mark_that_cant_be_committed_leaves_no_dead_letter_and_is_tried_again(
    start: StartWorker, client: PgQueue, db: psycopg.Connection, dead: Rows
) -> None:
    """U72, U76."""
    db.execute("insert into public.executions values ('run-7', 'acme', 'BUSY', 0)")
    poisoned(
        client,
        payload.build("executions.run", ["acme", "b", "run-7"], {}),
        repark_seconds=1,
        repark_budget=50,
    )
    worker = start(RUN + MARKING)
    worker.wait_for("hook.deferred")
    assert "UniqueViolation" in worker.events("hook.deferred")[0]["error"]
    assert dead() == []
    db.execute("delete from public.executions")
    ((_, reason, _error),) = eventually(dead)
    assert (reason, executions(db)) == ("handled", [("run-7", "acme", "ERROR")])
    assert worker.marked("run") == 0


def test_a_hook_that_never_confirms_is_asked_as_often_as_the_budget_says(
    start: StartWorker, client: PgQueue, db: psycopg.Connection, dead: Rows
) -> None:
    """U72: the last read that SQL hands out ends it as unconfirmed, with an ERROR; the hard cap stays behind."""
    msg_id = poisoned(client, payload.build("executions.run", ["acme", "b", "run-7"], {}), repark_budget=3)
    worker = start(RUN + "@app.on_poison()\ndef hook(ctx): mark('asked'); return TryLater(0.01)")
    assert eventually(dead) == [(msg_id, "unconfirmed", "ValueError: the last failure")]
    assert worker.marked("asked") == 3
    (event,) = [line for line in worker.events("message.buried") if line["msg_id"] == msg_id]
    assert (event["level"], event["reason"]) == ("error", "unconfirmed")
    assert db.execute("select read_ct from pgqueue.dead_letters").fetchone() == (4,)


def test_a_deferred_message_waits_for_repark_seconds(
    start: StartWorker, client: PgQueue, db: psycopg.Connection, waiting: Rows
) -> None:
    """U72: and keeps its last error meanwhile."""
    poisoned(client, payload.build("executions.run", ["acme", "b", "run-7"], {}))
    start(RUN + "@app.on_poison('orders')\ndef hook(ctx): raise ConnectionError('marker down')").wait_for(
        "hook.deferred"
    )
    eventually(lambda: waiting()[0][1] == "retry")
    row = db.execute(
        "select vt - last_read_at between '299 s' and '301 s', error from pgqueue.messages"
    ).fetchone()
    assert row == (True, "ValueError: the last failure")


def test_with_a_budget_of_none_no_hook_is_asked(start: StartWorker, client: PgQueue, dead: Rows) -> None:
    """The read itself buries: what SQL alone promises holds beside a hook."""
    msg_id = poisoned(client, payload.build("executions.run", ["acme", "b", "run-7"], {}), repark_budget=0)
    worker = start(RUN + MARKING)
    assert eventually(dead) == [(msg_id, "hard_cap", "ValueError: the last failure")]
    assert worker.marked("asked") == worker.marked("run") == 0


def test_a_hook_that_kills_its_process_ends_at_the_hard_cap(
    start: StartWorker, client: PgQueue, dead: Rows
) -> None:
    msg_id = poisoned(
        client, payload.build("executions.run", ["a", "b", "c"], {}), repark_budget=2, vt=0.5, health_stale=5
    )
    deadly = RUN + "@app.on_poison()\ndef hook(ctx): mark('asked'); os.kill(os.getpid(), signal.SIGKILL)"
    for n in (1, 2):
        worker = start(deadly)
        worker.wait_for_mark("asked", n)
        worker.end()
    worker = start(deadly)
    assert eventually(dead) == [(msg_id, "hard_cap", "ValueError: the last failure")]
    assert worker.marked("asked") == 2


@pytest.mark.parametrize(
    ("args", "reason"), [(["acme", "b", "run-7"], "hopeless"), ([None, "b", "run-7"], "unidentified"),
                         (["acme"], "unidentified"), ([], "unidentified")],
)  # fmt: skip
def test_what_cant_be_helped_is_buried_at_once_with_its_payload_whole(
    start: StartWorker, client: PgQueue, db: psycopg.Connection, dead: Rows, args: list[Any], reason: str
) -> None:
    """U71, U75, U80: and the dead letter has what an operator needs."""
    message = payload.build("executions.run", args, {"api_token": "hunter2", "big": ["x" * 3000]})
    msg_id = poisoned(client, message)
    worker = start(RUN + "@app.on_poison()\nasync def hook(ctx): return Hopeless()")
    assert eventually(dead) == [(msg_id, reason, "ValueError: the last failure")]
    (letter,) = letters(db)
    assert letter.message == message
    assert (letter.read_ct, letter.release_ct, letter.queue) == (2, 0, "orders")
    assert None not in (letter.holder, letter.enqueued_at, letter.last_read_at, letter.died_at)
    (event,) = worker.events("message.poisoned")
    assert event["payload"]["kwargs"]["api_token"] == "***"
    assert "hunter2" not in worker.output


def letters(db: psycopg.Connection) -> list[Any]:
    cursor = psycopg.Cursor(db, row_factory=namedtuple_row)
    return cursor.execute("select * from pgqueue.dead_letters").fetchall()


def test_a_hook_keeps_its_lease_as_a_handler_does(
    start: StartWorker, client: PgQueue, db: psycopg.Connection, dead: Rows
) -> None:
    poisoned(client, payload.build("executions.run", ["a", "b", "c"], {}), vt=1, health_stale=30)
    worker = start(RUN + "@app.on_poison()\ndef hook(ctx): mark('asked'); wait_for('go'); return Handled()")
    worker.wait_for_mark("asked")
    eventually(
        lambda: db.execute("select vt - last_read_at > '2 s' from pgqueue.messages").fetchone() == (True,)
    )
    worker.let("go")
    assert [reason for _, reason, _ in eventually(dead)] == ["handled"]
    assert worker.marked("asked") == 1


def test_a_message_that_is_gone_by_then_is_no_dead_letter(
    start: StartWorker, client: PgQueue, dead: Rows, waiting: Rows
) -> None:
    """U73: nothing is claimed to have been re-parked."""
    msg_id = poisoned(client, payload.build("executions.run", ["a", "b", "c"], {}))
    worker = start(RUN + "@app.on_poison()\ndef hook(ctx): mark('asked'); wait_for('go'); return TryLater()")
    worker.wait_for_mark("asked")
    client.delete("orders", msg_id)
    worker.let("go")
    (event,) = worker.wait_for("message.lease_lost")
    assert (event["outcome"], event["verb"]) == ("gone", "retry")
    assert dead() == waiting() == []


def test_payloads_of_hostile_shape_never_stop_the_worker(
    start: StartWorker, client: PgQueue, db: psycopg.Connection, waiting: Rows
) -> None:
    """U22, U79: each is buried, and the good one behind them runs."""
    shapes: list[Any] = [None, 7, "text", [], ["x"], True, {"id": {"id": []}}]
    messages = [{"task": "t", "args": [], "kwargs": {"context": shape}} for shape in shapes]
    messages += [{"task": "t", "args": shape, "kwargs": shape} for shape in shapes]
    client.configure_queue("orders", {"max_reads": 1, "backoff": AT_ONCE})
    client.send_many("orders", messages, headers=[{"pgqueue-key": "x", "odd": shape} for shape in shapes * 2])
    client.send("orders", payload.build("good", [], {}))
    worker = start("""
        @app.on_poison()
        def hook(ctx): return Handled()
        @app.task("t", queue="orders", identity=Identity(key=("id", "context.id.id"), scope="org"))
        def t(*args, **kwargs): raise ValueError(args, kwargs)
        @app.task("good", queue="orders")
        def good(): mark("good")
        """)
    eventually(lambda: not waiting())
    assert worker.marked("good") == 1
    assert db.execute("select count(*) from pgqueue.dead_letters").fetchone() == (len(messages),)
