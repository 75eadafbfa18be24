"""How a consumer ends: what runs is finished, what doesn't run is given back, and the exit code tells which."""

from __future__ import annotations

import signal
from collections.abc import Callable
from typing import Any

from pgqueue import PgQueue
from pgqueue.task import payload
from tests_integration.consumer.conftest import StartWorker
from tests_integration.fixtures.waiting import eventually

Rows = Callable[[], list[tuple[Any, ...]]]

SLOW = """
@app.task("t", queue="orders")
def t():
    mark("started")
    wait_for("go")

@app.task("a", queue="orders")
async def a():
    mark("started")
    while not (MARKS / "go").exists(): await asyncio.sleep(0.01)
"""


def send(client: PgQueue, task: str, count: int) -> None:
    client.send_many("orders", [payload.build(task, [], {}) for _ in range(count)])


def test_sigterm_finishes_what_runs_and_claims_nothing_more(
    start: StartWorker, client: PgQueue, waiting: Rows
) -> None:
    send(client, "t", 1)
    send(client, "a", 1)
    send(client, "t", 5)
    worker = start(SLOW, "--concurrency", "2")
    worker.wait_for_mark("started", 2)
    worker.terminate()
    worker.wait_for("stop.requested")
    worker.let("go")
    assert worker.end() == 0
    assert worker.marked("started") == 2
    assert [row[1:3] for row in waiting()] == [("ready", 0)] * 5


def test_what_was_claimed_ahead_is_released_uncounted(
    start: StartWorker, client: PgQueue, waiting: Rows
) -> None:
    count = 300
    send(client, "quick", 100)
    send(client, "t", count)
    quick = SLOW + '\n@app.task("quick", queue="orders")\ndef quick(): ...\n'
    worker = start(quick, "--concurrency", "2", "--vt", "60", "--health-stale", "90")
    worker.wait_for_mark("started", 2)
    eventually(lambda: sum(row[1] == "in_flight" for row in waiting()) > 2)
    worker.terminate()
    eventually(lambda: sum(row[1] == "in_flight" for row in waiting()) == 2)
    worker.let("go")
    assert worker.end() == 0
    rows = waiting()
    assert len(rows) == count - 2
    assert all(row[1] == "ready" and row[2] == row[3] for row in rows)


def test_a_second_sigterm_releases_now(start: StartWorker, client: PgQueue, waiting: Rows) -> None:
    send(client, "t", 1)
    send(client, "a", 1)
    worker = start(SLOW)
    worker.wait_for_mark("started", 2)
    worker.terminate()
    worker.wait_for("stop.requested")
    worker.terminate()
    assert worker.end() == 143
    assert [row[1:4] for row in waiting()] == [("ready", 1, 1)] * 2


def test_a_second_sigint_ends_with_130(start: StartWorker, client: PgQueue) -> None:
    send(client, "t", 1)
    worker = start(SLOW)
    worker.wait_for_mark("started")
    for number in (1, 2):
        worker.process.send_signal(signal.SIGINT)
        if number == 1:
            worker.wait_for("stop.requested")
    assert worker.end() == 130


def test_what_still_runs_after_the_grace_is_released(
    start: StartWorker, client: PgQueue, waiting: Rows
) -> None:
    send(client, "t", 1)
    worker = start(SLOW, "--grace", "0.1")
    worker.wait_for_mark("started")
    worker.terminate()
    assert worker.end() == 143
    assert [row[1:4] for row in waiting()] == [("ready", 1, 1)]


def test_a_thread_that_a_handler_waits_for_doesnt_keep_the_process(
    start: StartWorker, client: PgQueue, waiting: Rows
) -> None:
    send(client, "t", 1)
    app = """
        @app.task("t", queue="orders")
        async def t():
            mark("started")
            await asyncio.to_thread(wait_for, "never")
    """
    worker = start(app, "--grace", "0.1")
    worker.wait_for_mark("started")
    worker.terminate()
    assert worker.end() == 143
    assert [row[1:4] for row in waiting()] == [("ready", 1, 1)]


def test_a_keyboard_interrupt_in_a_handler_is_a_stop(
    start: StartWorker, client: PgQueue, waiting: Rows
) -> None:
    send(client, "t", 1)
    worker = start('@app.task("t", queue="orders")\ndef t(): raise KeyboardInterrupt')
    assert worker.end() == 0
    assert [row[1:4] for row in waiting()] == [("ready", 1, 1)]
