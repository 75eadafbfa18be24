"""`pgqueue schedules` as a real process."""

from __future__ import annotations

import json
import re

from pgqueue import PgQueue
from tests_integration.cli.conftest import Pgqueue, one_line
from tests_integration.fixtures.clock import Clock
from tests_integration.fixtures.database import Database
from tests_integration.fixtures.verbs import rows

SET = (
    "schedules",
    "set",
    "nightly",
    "orders",
    '{"task": "count"}',
    "--cron",
    "30 2 * * *",
    "--timezone",
    "Europe/Berlin",
)


def test_schedule_from_the_command_line(
    pgqueue: Pgqueue, orders: str, database: Database, clock: Clock
) -> None:
    """B70, B72"""
    assert pgqueue("schedules", "list").stdout == "no schedules\n"
    assert pgqueue(*SET).stdout == "schedule nightly is created\n"
    assert pgqueue(*SET).stdout == "schedule nightly is unchanged\n"
    assert json.loads(pgqueue(*SET, "--jitter", "60", "--catch-up", "all", "--json").stdout) == {
        "name": "nightly",
        "change": "changed",
    }
    shown = pgqueue("schedules", "show", "nightly").stdout
    assert "was not seen by a scheduler yet" in shown
    assert "At 02:30 every day, Europe/Berlin" in shown
    assert shown.splitlines()[-1].split() == ["2030-01-05", "01:30:00Z", "Sat", "2030-01-05", "02:30", "CET"]
    (listed,) = [json.loads(line) for line in pgqueue("schedules", "list", "--json").stdout.splitlines()]
    assert (listed["state"], listed["jitter"], listed["catch_up"], listed["message"]) == (
        "new",
        60.0,
        "all",
        {"task": "count"},
    )
    assert pgqueue("schedules", "pause", "nightly", "--why", "moving").returncode == 0
    paused = pgqueue("schedules", "show", "nightly")
    assert "is paused by pgqueue" in paused.stdout
    assert "no slot will be fired" in paused.stdout
    assert pgqueue("schedules", "resume", "nightly").stdout == "schedule nightly is resumed\n"
    assert (
        pgqueue("schedules", "resume", "nightly").stdout
        == "schedule nightly was neither paused nor disabled\n"
    )
    fired = json.loads(pgqueue("schedules", "fire", "nightly", "--json").stdout)
    with PgQueue(database.conninfo) as client:
        (message,) = client.read(orders)
    assert (message.msg_id, message.headers) == (
        fired["msg_id"],
        {"pgqueue-schedule": {"schedule": "nightly"}},
    )
    assert pgqueue("schedules", "delete", "nightly").stdout == "schedule nightly is deleted\n"
    assert pgqueue("schedules", "delete", "nightly").returncode == 0


def test_disabled_schedule_says_why(pgqueue: Pgqueue, orders: str, database: Database) -> None:
    pgqueue(*SET)
    db = database.connect()
    db.execute("update pgqueue.schedule set cron = 'nonsense', enabled = false, error = 'it can not be read'")
    shown = pgqueue("schedules", "show", "nightly")
    assert (shown.returncode, "is disabled: it can not be read" in shown.stdout) == (0, True)
    assert rows(db, "select 1 from pgqueue.schedules where state = 'disabled'")


def test_rule_is_explained_without_a_database(pgqueue: Pgqueue) -> None:
    nowhere = {"PGQUEUE_DSN": "postgresql://127.0.0.1:1/nowhere"}
    told = pgqueue("schedules", "explain", "0 9 13 * FRI", "--timezone", "America/New_York", environ=nowhere)
    assert told.returncode == 0
    assert "either is enough" in told.stdout
    assert len(re.findall(r"^20\d\d-.* 09:00 E[SD]T$", told.stdout, re.MULTILINE)) == 5
    told = pgqueue("schedules", "explain", "@daily", "--json", environ=nowhere)
    assert len(json.loads(told.stdout)["next"]) == 5


def test_what_can_not_be_is_refused_in_one_line(pgqueue: Pgqueue, orders: str) -> None:
    """B68, B69, B71"""
    for rule, zone in (
        ("60 * * * *", "UTC"),
        ("* * * *", "UTC"),
        ("0 0 30 2 *", "UTC"),
        ("* * * * *", "EST5EDT"),
    ):
        one_line(pgqueue("schedules", "set", "x", "orders", "1", "--cron", rule, "--timezone", zone), 2, "")
        one_line(pgqueue("schedules", "explain", rule, "--timezone", zone), 2, "")
    one_line(pgqueue("schedules", "set", "x", "nowhere", "1", "--cron", "* * * * *"), 1, "")
    pgqueue(*SET)
    for verb in (("show",), ("fire",), ("pause", "--why", "x"), ("resume",)):
        ended = pgqueue("schedules", verb[0], "nightli", *verb[1:])
        one_line(ended, 1, "")
        assert "Did you mean nightly?" in ended.stderr
