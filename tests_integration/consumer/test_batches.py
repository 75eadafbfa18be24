"""Batch handlers on a real queue."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import psycopg
import pytest

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


def test_every_message_is_in_one_batch_and_batches_are_full(
    start: StartWorker, client: PgQueue, waiting: Rows, door: Door
) -> None:
    client.configure_queue("orders", {"batch": 250})
    client.send_many("orders", [{"n": n} for n in range(2000)])
    worker = start(
        """
        @app.messages("orders", batch=250)
        def handle(messages):
            with (MARKS / "seen").open("a") as seen:
                seen.write("".join(f"{message.message['n']} " for message in messages))
            mark(f"size_{len(messages)}")
        """,
        "--concurrency", "2", dsn=door.conninfo,
    )  # fmt: skip
    eventually(lambda: not waiting())
    assert sorted(map(int, (worker.marks / "seen").read_text().split())) == list(range(2000))
    assert worker.marked("size_250") == 8


def test_a_batch_and_its_bad_message_part_at_the_second_try(
    start: StartWorker, client: PgQueue, waiting: Rows, dead: Rows
) -> None:
    """One bad message fails the whole batch once; then each comes alone, and only the bad one dies."""
    client.configure_queue("orders", {"max_reads": 2, "backoff": AT_ONCE})
    ids = client.send_many("orders", [{"n": n} for n in range(20)])
    worker = start("""
        @app.messages("orders", batch=100)
        async def handle(messages):
            mark(f"size_{len(messages)}")
            if any(message.message["n"] == 7 for message in messages): raise ValueError("seven")
        """)
    eventually(lambda: not waiting())
    ((msg_id, reason, error),) = dead()
    assert (msg_id, reason, error.split("\n")[0]) == (ids[7], "poison", "ValueError: seven")
    assert (worker.marked("size_20"), worker.marked("size_1")) == (1, 20)
    assert len(worker.events("batch.failed")) == 2


def test_answers_for_single_messages_of_a_batch(
    start: StartWorker, client: PgQueue, waiting: Rows, dead: Rows
) -> None:
    ids = client.send_many("orders", [{"how": how} for how in ("ok", "retry", "bury", "ok")])
    client.send("orders", payload.build("t", [], {}))
    worker = start("""
        ANSWERS = {"retry": Retry(900, "later"), "bury": Bury("bad")}
        @app.messages("orders", batch=10)
        def handle(messages):
            return {m.msg_id: ANSWERS.get(m.message["how"]) for m in messages}
        @app.task("t", queue="orders")
        def t(): mark("task")
        """)
    eventually(lambda: len(waiting()) == 1 and waiting()[0][1] == "retry")
    assert [row[0] for row in waiting()] == [ids[1]]
    assert eventually(dead)[0][:2] == (ids[2], "bad")
    assert worker.marked("task") == 1


def test_a_long_batch_keeps_all_its_leases(
    start: StartWorker, client: PgQueue, db: psycopg.Connection, waiting: Rows
) -> None:
    client.configure_queue("orders", {"vt": 1, "health_stale": 30})
    client.send_many("orders", [{"n": n} for n in range(50)])
    worker = start("""
        @app.messages("orders", batch=50)
        def handle(messages):
            mark("batch")
            wait_for("go")
        """)
    worker.wait_for_mark("batch")
    renewed = "select count(*) from pgqueue.messages where vt - last_read_at > '2 s'"
    eventually(lambda: db.execute(renewed).fetchone() == (50,))
    worker.let("go")
    eventually(lambda: not waiting())
    assert worker.marked("batch") == 1


def test_a_stop_gives_a_running_batch_back_uncounted(
    start: StartWorker, client: PgQueue, waiting: Rows
) -> None:
    client.send_many("orders", [{"n": n} for n in range(30)])
    worker = start(
        """
        @app.messages("orders", batch=30)
        async def handle(messages):
            mark("batch")
            await asyncio.sleep(60)
        """,
        "--grace", "0.1",
    )  # fmt: skip
    worker.wait_for_mark("batch")
    worker.terminate()
    assert worker.end() == 143
    assert {row[1:4] for row in waiting()} == {("ready", 1, 1)}
    assert len(waiting()) == 30
