"""A worker process dies: what it held comes back at once, and only what may be to blame is counted."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from pgqueue import PgQueue
from tests_integration.daemon.conftest import SLOW, Rows, StartCommand, eventually, is_alive

Send = Callable[..., list[int]]


@pytest.mark.parametrize("kind", ["log", "row"])
def test_messages_of_a_killed_worker_come_back_at_once(
    start: StartCommand, client: PgQueue, send: Send, waiting: Rows, kind: str
) -> None:
    client.drop_queue("orders", force=True)
    backoff = {"base": 900, "factor": 1, "cap": 900, "jitter": 0}
    client.create_queue("orders", kind, settings={"backoff": backoff})
    send("quick", 100)
    slow = send("slow", 100)
    command = start(SLOW, "--vt", "300", "--health-stale", "600", "--concurrency", "2")
    command.wait_for_mark("started", 2)
    eventually(lambda: len(waiting()) == len(slow), 20)
    eventually(lambda: sum(row[1] == "in_flight" for row in waiting()) > 10)
    os.kill(command.pids()[0], signal.SIGKILL)
    command.wait_for("worker.settled", 2)
    rows = eventually(lambda: found if len(found := [row for row in waiting() if row[4]]) == 2 else [])
    assert [(row[1], row[2], row[3]) for row in rows] == [("retry", 1, 0)] * 2
    assert all(row[4].startswith("worker process died: SIGKILL") for row in rows)
    command.wait_for_mark("started", 4)
    others = [row for row in waiting() if not row[4]]
    assert len(others) == len(slow) - 2
    assert all(read_ct - release_ct == (state == "in_flight") for _, state, read_ct, release_ct, _ in others)
    (event,) = command.events("worker.died")
    assert event["how"].startswith("SIGKILL")
    assert event["held"] > 2


def test_what_killed_the_process_is_kept_with_the_message_and_buried_after_max_reads(
    start: StartCommand, client: PgQueue, send: Send, db: psycopg.Connection
) -> None:
    backoff = {"base": 0.01, "factor": 1, "cap": 0.01, "jitter": 0}
    client.configure_queue("orders", {"max_reads": 1, "backoff": backoff})
    for how in ("import ctypes; ctypes.string_at(0)", "os._exit(3)", "os.kill(os.getpid(), signal.SIGKILL)"):
        send("deadly", 1, how)
    app = (
        SLOW + '\n@app.task("deadly", queue="orders")\ndef deadly(how):\n    mark("deadly")\n    exec(how)\n'
    )
    command = start(app, "--concurrency", "1", "--batch", "1", processes=3)
    hows = sorted(event["how"] for event in command.wait_for("worker.died", 3))
    assert hows == ["SIGKILL (perhaps out of memory)", "SIGSEGV", "exit code 3"]
    query = "select reason from pgqueue.dead_letters where queue = 'orders'"
    letters = eventually(lambda: found if len(found := db.execute(query).fetchall()) == 3 else [], 15)
    assert letters == [("poison",)] * 3
    assert command.marked("deadly") == 3
    send("quick")
    command.wait_for_mark("quick")


@pytest.mark.parametrize("kind", ["def", "async def"])
def test_child_that_a_handler_forks_settles_nothing_and_ends(
    start: StartCommand, send: Send, waiting: Rows, db: psycopg.Connection, kind: str
) -> None:
    pause = "await asyncio.sleep(0)" if kind.startswith("async") else "pass"
    command = start(
        f"""
        @app.task("fork", queue="orders")
        {kind} fork(n):
            if os.fork():
                mark("parent")
                wait_for("go") if n == 0 else None
            else:
                mark("child")
                {pause}
        """,
        "--concurrency", "2",
    )  # fmt: skip
    send("fork", 1, 0)
    command.wait_for_mark("child")
    worker = command.pids()[0]
    eventually(lambda: not [pid for pid in children_of(worker) if is_alive(pid)])
    assert [row[1] for row in waiting()] == ["in_flight"], "the child's end is no ack"
    command.let("go")
    eventually(lambda: not waiting())
    send("fork", 5, 1)
    eventually(lambda: not waiting())
    assert (command.marked("parent"), command.marked("child")) == (6, 6)
    assert command.pids() == [worker]
    assert not command.events("message.lease_lost")


def test_child_that_stays_hides_no_death_and_dies_with_the_worker(
    start: StartCommand, send: Send, waiting: Rows
) -> None:
    command = start(
        """
        @app.task("fork", queue="orders")
        def fork():
            if os.fork():
                wait_for("go")
            mark("child")
            while True: time.sleep(0.01)
        """
    )
    send("fork")
    command.wait_for_mark("child")
    worker = command.pids()[0]
    (child,) = children_of(worker)
    os.kill(worker, signal.SIGKILL)
    eventually(lambda: [row for row in waiting() if row[4]])
    eventually(lambda: not is_alive(child))


def test_worker_that_is_asked_to_end_finishes_and_is_replaced(
    start: StartCommand, send: Send, waiting: Rows
) -> None:
    send("slow")
    command = start(SLOW)
    command.wait_for_mark("started")
    os.kill(command.pids()[0], signal.SIGTERM)
    command.wait_for("stop.requested")
    command.let("go")
    command.wait_for("worker.stopped")
    command.wait_for("worker.started", 2)
    assert command.marked("ended") == 1
    assert not waiting()


def children_of(pid: int) -> list[int]:
    """Return the processes that any thread of this one has started."""
    lists = Path(f"/proc/{pid}/task").glob("*/children")
    return [int(child) for one in lists for child in one.read_text().split()]
