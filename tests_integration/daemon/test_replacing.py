"""Processes that have done enough, that die at their start, and that nobody waits for."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from tests_integration.consumer.worker import ROOT, Worker
from tests_integration.daemon.conftest import SLOW, Rows, StartCommand, eventually, state_of
from tests_integration.fixtures.database import Database

Send = Callable[..., list[int]]


def test_worker_that_uses_too_much_memory_is_replaced_and_loses_nothing(
    start: StartCommand, send: Send, waiting: Rows
) -> None:
    send("eat", 12)
    command = start(
        """
        eaten = []
        @app.task("eat", queue="orders")
        def eat():
            eaten.append(bytearray(os.urandom(1) * (30 << 20)))
            mark("ate")
            if len(eaten) > 8: wait_for("go")
        """,
        "--max-megabytes", "250", "--concurrency", "1", "--batch", "1",
    )  # fmt: skip
    (event,) = command.wait_for("worker.replaced")
    assert event["reason"] == "recycled"
    assert event["why"].endswith("MB")
    command.let("go")
    eventually(lambda: not waiting(), 10)
    assert command.marked("ate") == 12
    assert len(command.pids()) == 2
    assert command.get("/livez")[0] == 200


def test_worker_is_replaced_after_so_many_messages(start: StartCommand, send: Send, waiting: Rows) -> None:
    command = start(SLOW, "--max-messages", "10", "--concurrency", "2")
    send("quick", 40)
    command.wait_for("worker.replaced")
    eventually(lambda: not waiting(), 10)
    assert command.marked("quick") == 40
    command.wait_for("worker.stopped")
    assert command.events("worker.stopped")[0]["how"] == "exit code 0"


def test_command_whose_workers_die_at_once_turns_red_and_starts_them_more_and_more_slowly(
    start: StartCommand,
) -> None:
    command = start("os._exit(9)", ready=False)
    assert command.get("/readyz")[0] == 503
    command.wait_for("worker.died", 2)
    assert command.get("/livez")[0] == 200
    events = command.wait_for("worker.died", 3)
    eventually(lambda: command.get("/livez")[0] == 503)
    assert "crashed 3 times in a row" in command.get("/livez")[1]["problems"][0]
    assert [event["restart_in"] for event in events] == [2, 4, 6]
    command.terminate()
    assert command.end() == 0


@pytest.mark.parametrize(
    ("app", "options", "code", "words"),
    [
        ("", (), 3, "the app has no handler"),
        (SLOW, ("--processes", "65"), 3, "processes can't be 65"),
        (SLOW, ("--port", "70000"), 3, "port can't be 70000"),
        (SLOW, ("--processes", "0", "--port", "0"), 3, "--port needs a supervisor"),
        (SLOW, ("--dsn", "host=127.0.0.1 port=1", "--fail-fast"), 4, "port 1"),
    ],
)
def test_what_would_be_refused_again_ends_the_command(
    tmp_path: Path, database: Database, app: str, options: tuple[str, ...], code: int, words: str
) -> None:
    dsn = () if "--dsn" in options else ("--dsn", database.conninfo)
    arguments = ["orders", "--app", "shop:app", *dsn, *options]
    command = Worker(tmp_path, app, arguments, {"PGQUEUE_PROCESSES": "1"})
    assert command.end() == code, command.output
    assert words in command.output
    assert "Traceback" not in command.output


@pytest.mark.parametrize("told_to_stop", [False, True], ids=["alone", "and told to stop meanwhile"])
def test_breaking_migration_under_two_workers_ends_the_command_once_they_have_finished(
    start: StartCommand, send: Send, waiting: Rows, db: psycopg.Connection, told_to_stop: bool
) -> None:
    send("slow")
    command = start(SLOW, processes=2)
    command.wait_for_mark("started")
    db.execute("insert into pgqueue.migration select 99, 'drop_it', '', true, '9.0', pgqueue.clock()")
    command.wait_for("schema.refused")
    command.wait_for("stop.requested")  # by the other worker, told to when the first one has ended
    if told_to_stop:
        command.terminate()
        command.wait_for("stop.requested", 2)  # by the supervisor
    assert command.marked("ended") == 0
    command.let("go")
    assert command.end() == 5, command.output
    assert "Upgrade this package" in command.output
    assert (command.marked("ended"), waiting()) == (1, [])
    assert len(command.pids()) == 2
    assert command.events("worker.died") == []


def test_orphans_of_handlers_are_collected_by_a_supervisor_that_adopts_them(
    tmp_path: Path, start: StartCommand, send: Send, database: Database
) -> None:
    """As PID 1 of a container does; here the process is made a subreaper, which adopts them in the same way."""
    app = """
    import subprocess, sys
    @app.task("orphan", queue="orders")
    def orphan():
        script = "import os; pid = os.fork() or os.setsid() or os.execvp('sleep', ['sleep', '0.1']); print(pid)"
        pid = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
        (MARKS / f"orphan={pid.strip()}").touch()
    """
    become = (
        "import ctypes, os, sys; ctypes.CDLL(None).prctl(36, 1, 0, 0, 0); os.execv(sys.argv[1], sys.argv[1:])"
    )
    send("orphan", 3)
    command = start(app, launcher=[sys.executable, "-c", become])
    pids = eventually(
        lambda: (
            found
            if len(found := [int(f.name.partition("=")[2]) for f in command.marks.glob("orphan=*")]) == 3
            else []
        )
    )
    eventually(lambda: [state_of(pid) for pid in pids] == [None] * 3)
    os.kill(command.pids()[0], 9)
    command.wait_for("worker.died")
    assert command.events("worker.died")[0]["how"].startswith("SIGKILL"), (
        "its own child's end was not taken away"
    )


def test_module_of_a_worker_is_not_imported_by_the_supervisor() -> None:
    """It stays small: neither the driver nor the app is loaded where no handler runs."""
    program = "import sys; from pgqueue.daemon import supervisor; print('psycopg' in sys.modules)"
    shown = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONPATH": str(ROOT)},
    )
    assert shown.stdout.strip() == "False"
