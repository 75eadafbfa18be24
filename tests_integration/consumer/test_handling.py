"""What a running consumer does with messages of every kind."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import psycopg
import pytest

from pgqueue import App, Identity, PgQueue
from pgqueue.task import payload
from tests_integration.consumer.conftest import StartWorker
from tests_integration.fixtures.door import Door
from tests_integration.fixtures.waiting import eventually

Rows = Callable[[], list[tuple[Any, ...]]]

HANDLERS = """
INSERT = "insert into public.effects values (%s)"

@app.task("orders.charge", queue="orders", identity=Identity(key="order_id", scope="org"))
def charge(ctx: Context, order_id, org=""):
    with ctx.tx() as connection:
        connection.execute(INSERT, (f"{ctx.identity.scope}/{ctx.identity.key}",))

@app.task("orders.ship", queue="orders")
async def ship(order_id, *, ctx: Context):
    async with ctx.tx() as connection:
        await connection.execute(INSERT, (f"ship {order_id} {ctx.attempt}",))

@app.messages("orders")
def plain(message):
    mark(f"plain_{message['n']}")
"""


def effects(db: psycopg.Connection) -> list[str]:
    return sorted(row[0] for row in db.execute("select what from public.effects").fetchall())


@pytest.fixture(autouse=True)
def _table(db: psycopg.Connection) -> None:
    db.execute("create table public.effects (what text)")


def test_plain_async_and_task_messages_are_handled_and_gone(
    start: StartWorker, client: PgQueue, door: Door, db: psycopg.Connection, waiting: Rows
) -> None:
    """U40."""
    app = App()

    @app.task("orders.charge", queue="orders", identity=Identity(key="order_id", scope="org"))
    def charge(order_id: int, org: str) -> None: ...

    with door.connect(autocommit=False) as connection:
        charge.send(connection, order_id=0, org="acme")
    charge.send(client, 7, org="acme")
    client.send("orders", payload.build("orders.ship", [8], {}))
    client.send("orders", {"n": 1})
    worker = start(HANDLERS, dsn=door.conninfo)
    eventually(lambda: not waiting())
    assert effects(db) == ["acme/0", "acme/7", "ship 8 1"]
    assert worker.marked("plain_1") == 1
    worker.terminate()
    assert worker.end() == 0


def test_every_payload_that_is_no_task_message_is_buried_at_once(
    start: StartWorker, client: PgQueue, db: psycopg.Connection, waiting: Rows, dead: Rows
) -> None:
    """U22, U42: as malformed, which is not unknown."""
    values: list[Any] = [
        [], [1, [2]], "text", "", 7, 0, 1.5, True, False, None, {}, {"task": 1}, {"task": ""}, {"task": None},
        {"task": "orders.charge", "args": {}}, {"task": "orders.charge", "kwargs": []},
        {"task": "orders.charge", "args": None}, {"task": "orders.charge", "extra": 1}, {"task": ["x"]},
    ]  # fmt: skip
    client.send_many("orders", values)
    hostile = client.send("orders", {})  # more digits than Python reads; the send itself would refuse it
    number = "1" + "0" * 6000
    db.execute("update pgqueue.r_orders set message = %s::jsonb where msg_id = %s", [f"[{number}]", hostile])
    worker = start('@app.task("orders.charge", queue="orders")\ndef charge(): mark("run")')
    eventually(lambda: not waiting())
    letters = dead()
    assert [reason for _, reason, _ in letters] == ["malformed"] * (len(values) + 1)
    assert all(error for _, _, error in letters)
    assert worker.marked("run") == 0


def test_a_failure_is_retried_after_the_backoff_and_keeps_its_error(
    start: StartWorker, client: PgQueue, waiting: Rows, db: psycopg.Connection
) -> None:
    """U41: and is no ack."""
    client.configure_queue("orders", {"backoff": {"base": 500, "factor": 2, "cap": 3600, "jitter": 0}})
    client.send("orders", payload.build("t", [], {"token": "hush"}))
    start('@app.task("t", queue="orders")\ndef t(token): raise ValueError("no such\\x00 \\x1b[31morder")')
    ((_, state, read_ct, release_ct, error),) = eventually(lambda: [row for row in waiting() if row[4]])
    assert (state, read_ct, release_ct) == ("retry", 1, 0)
    assert error.startswith("ValueError: no such")
    assert "shop.py" in error
    assert "\x1b" not in error
    row = db.execute("select vt - last_read_at > interval '499 s' from pgqueue.messages").fetchone()
    assert row == (True,)


def test_retry_bury_and_release_are_taken_as_raised_or_returned(
    start: StartWorker, client: PgQueue, waiting: Rows, dead: Rows
) -> None:
    for how in ("raise_retry", "return_retry", "raise_bury", "return_bury", "release"):
        client.send("orders", payload.build("t", [how], {}))
    start("""
        ANSWERS = {"retry": Retry(900), "bury": Bury("hopeless", "because"), "release": Release()}
        @app.task("t", queue="orders")
        async def t(how):
            answer = ANSWERS[how.split("_")[-1]]
            if how.startswith("return"): return answer
            raise answer
        """)
    eventually(lambda: len(dead()) == 2)
    assert {(reason, error) for _, reason, error in dead()} == {("hopeless", "because")}
    rows = eventually(lambda: waiting() if all(row[1] != "in_flight" for row in waiting()) else [])
    assert [row[3] for row in rows][:2] == [0, 0]
    assert rows[2][3] >= 1, "a release isn't counted as an attempt"


def test_a_message_read_too_often_is_buried_as_poison_and_its_handler_not_run(
    start: StartWorker, client: PgQueue, dead: Rows
) -> None:
    client.configure_queue(
        "orders", {"max_reads": 2, "backoff": {"base": 0.001, "factor": 1, "cap": 0.001, "jitter": 0}}
    )
    client.send("orders", payload.build("t", [], {"order_id": 9, "api_token": "hush-hush"}))
    worker = start("""
        @app.task("t", queue="orders", identity=Identity(key="order_id"))
        def t(order_id, api_token):
            mark("run")
            raise RuntimeError("again")
        """)
    ((_, reason, _error),) = eventually(dead)
    assert reason == "poison"
    assert worker.marked("run") == 2
    (event,) = worker.wait_for("message.poisoned")
    assert event["key"] == "9"
    assert event["payload"]["kwargs"] == {"order_id": 9, "api_token": "***"}
    assert "hush" not in worker.output


def test_an_unknown_task_is_shown_again_uncounted_and_buried_after_its_grace(
    start: StartWorker, client: PgQueue, waiting: Rows, dead: Rows
) -> None:
    """U43: not destroyed at once, for a rolling deploy may bring the task."""
    client.send("orders", payload.build("not.yet", [], {}))
    worker = start('@app.task("t", queue="orders")\ndef t(): ...')
    worker.wait_for("message.unrecognised", 2)
    ((_, _, read_ct, release_ct, _),) = eventually(lambda: [r for r in waiting() if r[1] != "in_flight"])
    assert read_ct == release_ct >= 1
    client.configure_queue("orders", {"unknown_grace": 0})
    worker.kill()
    start('@app.task("t", queue="orders")\ndef t(): ...')
    ((_, reason, error),) = eventually(dead, 10)
    assert reason == "unknown"
    assert "not.yet" in error


def test_archive_keeps_what_is_done(
    start: StartWorker, client: PgQueue, db: psycopg.Connection, waiting: Rows
) -> None:
    client.send("orders", payload.build("t", [], {}))
    start('@app.task("t", queue="orders")\ndef t(): ...', "--archive")
    eventually(lambda: not waiting())
    assert db.execute("select count(*) from pgqueue.a_orders").fetchone() == (1,)


def test_handlers_that_end_strangely_cost_only_their_message(
    start: StartWorker, client: PgQueue, waiting: Rows
) -> None:
    client.configure_queue("orders", {"backoff": {"base": 900, "factor": 1, "cap": 900, "jitter": 0}})
    kinds = ["SystemExit", "GeneratorExit", "StopIteration", "CancelledError", "Hostile", "Deep", "coroutine"]
    for kind in kinds:
        client.send("orders", payload.build("t", [kind], {}))
        client.send("orders", payload.build("a", [kind], {}))
    client.send("orders", payload.build("good", [], {}))
    worker = start("""
        class Hostile(BaseException):
            def __str__(self): raise MemoryError
        def deep(n): return deep(n + 1)
        async def late(): ...
        def strange(kind):
            if kind == "coroutine": return late()
            if kind == "Deep": deep(0)
            raise {"SystemExit": SystemExit, "GeneratorExit": GeneratorExit, "StopIteration": StopIteration,
                   "CancelledError": asyncio.CancelledError, "Hostile": Hostile}[kind]
        @app.task("t", queue="orders")
        def t(kind): return strange(kind)
        @app.task("a", queue="orders")
        async def a(kind):
            if kind == "coroutine": raise KeyError
            return strange(kind)
        @app.task("good", queue="orders")
        def good(): mark("good")
        """)
    worker.wait_for_mark("good")
    rows = eventually(lambda: r if len(r := [row for row in waiting() if row[4]]) == 2 * len(kinds) else [])
    assert all(row[1] == "retry" for row in rows)
    assert any("Hostile: <str() raised MemoryError>" in row[4] for row in rows)
    assert worker.process.poll() is None
