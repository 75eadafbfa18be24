"""What a consumer checks before its first read, and how it waits for a database."""

from __future__ import annotations

import subprocess
import sys
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
GOOD = '@app.task("t", queue="orders")\ndef t(): mark("run")'


@pytest.mark.parametrize(
    ("app", "options", "code", "words"),
    [
        ("", (), 3, ["no handler", "unknown"]),
        ('@app.task("t", queue="other")\ndef t(): ...', (), 3, ["orders", "t (other)"]),
        ("1/0", (), 3, ["ZeroDivisionError: division by zero", "shop.py:"]),
        ("def broken(:", (), 3, ["SyntaxError", "shop.py:"]),
        ("import no_such_module_at_all", (), 3, ["ModuleNotFoundError", "no_such_module_at_all", "shop.py:"]),
        ("raise SystemExit(0)", (), 3, ["SystemExit"]),
        ('@app.task("t", queue="orders")\ndef t(): yield', (), 3, ["generator", "shop.py:"]),
        (GOOD, ("--app", "shop:nothing"), 3, ["shop:nothing does not exist", "Name one of: app"]),
        (GOOD, ("--app", "shop:MARKS"), 3, ["not App"]),
        (GOOD, ("--app", "no/such:app"), 3, ["module:name"]),
        (GOOD, ("--concurrency", "0"), 3, ["concurrency", "0"]),
        (GOOD, ("--vt", "0"), 3, ["vt", "0.1"]),
        (GOOD, ("--vt", "nan"), 3, ["vt", "nan"]),
        (GOOD, ("--vt", "60", "--health-stale", "60"), 3, ["health_stale", "60.0", "over vt (60.0 s)"]),
        (GOOD, ("--vt", "90"), 3, ["health_stale of queue orders can't be 60", "over vt (90.0 s)"]),
        (GOOD, ("--vt", "5m"), 2, ["--vt", "5m"]),
        (GOOD, ("--poll", "3"), 3, ["poll_max", "3.0"]),
        (GOOD, ("--grace", "-1"), 3, ["grace", "-1"]),
        (GOOD, ("--grace", "inf"), 3, ["grace", "inf"]),
        (GOOD, ("--batch", "0"), 3, ["batch", "0"]),
        (GOOD, ("--max-reads", "0"), 3, ["max_reads", "0"]),
    ],
)
def test_what_cant_work_is_refused_by_name_and_nothing_is_claimed(
    start: StartWorker,
    client: PgQueue,
    waiting: Rows,
    app: str,
    options: tuple[str, ...],
    code: int,
    words: list[str],
) -> None:
    """U44: an empty registry among it."""
    client.send("orders", payload.build("t", [], {}))
    worker = start(app, *options, ready=False)
    assert worker.end() == code, worker.output
    for word in words:
        assert word in worker.output
    assert "Traceback" not in worker.output
    assert [row[1:3] for row in waiting()] == [("ready", 0)]


def test_a_missing_queue_is_an_error_that_names_it(start: StartWorker, client: PgQueue) -> None:
    client.drop_queue("orders")
    worker = start(GOOD, ready=False)
    assert worker.end() == 3
    assert '"orders" does not exist' in worker.output


def test_flag_beats_environment_beats_queue_and_the_start_says_so(start: StartWorker) -> None:
    worker = start(GOOD, "--vt", " 7 ", PGQUEUE_VT="8", PGQUEUE_BATCH=" 9 ", PGQUEUE_MAX_READS="")
    (event,) = worker.events("consumer.started")
    assert event["queues"]["orders"] == {
        "vt": "7.0 (flag)",
        "health_stale": "60 (queue)",
        "max_reads": "5 (queue)",
        "batch": "9 (environment)",
        "archive": "False (queue)",
    }


def test_a_consumer_waits_for_a_database_that_is_down_and_then_serves(
    start: StartWorker, client: PgQueue, own_bouncer: Bouncer, database: Database, waiting: Rows
) -> None:
    client.send("orders", payload.build("t", [], {}))
    own_bouncer.stop()
    worker = start(GOOD, dsn=own_bouncer.conninfo(database.name), ready=False)
    worker.wait_for("connect.failed")
    own_bouncer.start()
    worker.wait_for("consumer.started")
    eventually(lambda: not waiting())


def test_fail_fast_ends_with_4_when_the_database_is_down(
    start: StartWorker, own_bouncer: Bouncer, database: Database
) -> None:
    own_bouncer.stop()
    worker = start(GOOD, "--fail-fast", dsn=own_bouncer.conninfo(database.name), ready=False)
    assert worker.end() == 4


def test_sigterm_while_the_database_is_down_ends_cleanly(
    start: StartWorker, own_bouncer: Bouncer, database: Database
) -> None:
    own_bouncer.stop()
    worker = start(GOOD, dsn=own_bouncer.conninfo(database.name), ready=False)
    worker.wait_for("connect.failed")
    worker.terminate()
    assert worker.end() == 0


def test_a_consumer_goes_on_after_the_database_went_away_for_a_while(
    start: StartWorker, client: PgQueue, own_bouncer: Bouncer, database: Database, waiting: Rows
) -> None:
    worker = start(GOOD, dsn=own_bouncer.conninfo(database.name))
    own_bouncer.stop()
    worker.wait_for("read.failed")
    own_bouncer.start()
    client.send("orders", payload.build("t", [], {}))
    eventually(lambda: not waiting(), 15)
    assert worker.events("read.resumed")


def test_changed_settings_of_the_queue_are_taken_over_within_seconds(
    start: StartWorker, client: PgQueue
) -> None:
    worker = start(GOOD)
    client.configure_queue("orders", {"vt": 45})
    (event,) = worker.wait_for("settings.changed")
    assert "vt=45" in event["after"]


def test_no_password_reaches_the_log(start: StartWorker, database: Database) -> None:
    worker = start(GOOD, dsn=f"{database.conninfo} connect_timeout=2 port=1 password=hush-hush", ready=False)
    worker.wait_for("connect.failed")
    assert "hush-hush" not in worker.output


def test_a_misspelt_variable_is_named_with_what_was_meant(start: StartWorker) -> None:
    worker = start(GOOD, PGQUEUE_CONCURENCY="3")
    (event,) = worker.events("variable.ignored")
    assert (event["name"], event["nearest"]) == ("PGQUEUE_CONCURENCY", "PGQUEUE_CONCURRENCY")


def test_a_database_without_the_schema_ends_with_5(start: StartWorker, empty_database: Database) -> None:
    worker = start(GOOD, dsn=empty_database.conninfo, ready=False)
    assert worker.end() == 5
    assert "pgqueue migrate" in worker.output


def test_help_names_every_variable() -> None:
    command = [sys.executable, "-m", "pgqueue", "consume", "--help"]
    shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    for name in ("APP", "CONCURRENCY", "VT", "HEALTH_STALE", "MAX_READS", "POLL_MAX", "GRACE", "LOG_FORMAT"):
        assert f"PGQUEUE_{name}" in shown


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("delete from pgqueue.migration", "Run pgqueue migrate"),
        (
            "insert into pgqueue.migration select 99, 'from_the_future', '', true, '9.0', pgqueue.clock()",
            "Upgrade this package",
        ),
    ],
)
def test_schema_that_it_cant_serve_is_refused_with_the_cure(
    start: StartWorker, db: psycopg.Connection, change: str, words: str
) -> None:
    db.execute(change.encode())
    worker = start(GOOD, ready=False)
    assert worker.end() == 5, worker.output
    assert words in worker.output


def test_schema_of_a_newer_release_that_broke_nothing_is_served(
    start: StartWorker, db: psycopg.Connection
) -> None:
    db.execute("insert into pgqueue.migration select 99, 'add_a_column', '', false, '9.0', pgqueue.clock()")
    start(GOOD)


def test_breaking_migration_under_a_running_worker_ends_it_once_it_has_finished(
    start: StartWorker, client: PgQueue, db: psycopg.Connection, waiting: Rows
) -> None:
    app = '@app.task("t", queue="orders")\ndef t(): mark("started"), wait_for("go"), mark("ended")'
    client.send("orders", payload.build("t", [], {}))
    worker = start(app, "--processes", "0")
    worker.wait_for_mark("started")
    db.execute("insert into pgqueue.migration select 99, 'drop_it', '', true, '9.0', pgqueue.clock()")
    worker.wait_for("schema.refused")
    assert worker.marked("ended") == 0
    worker.let("go")
    assert worker.end(30) == 5, worker.output
    assert "Upgrade this package" in worker.output
    assert worker.marked("ended") == 1
    assert waiting() == []
