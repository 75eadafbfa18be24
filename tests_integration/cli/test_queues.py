"""Queues from the command line: what changes them, and what refuses to."""

from __future__ import annotations

import json
import os
import pty
import subprocess

import psycopg
import pytest

from tests_integration.cli.conftest import PROGRAM, Pgqueue, one_line


def queues(db: psycopg.Connection) -> list[str]:
    return [row[0] for row in db.execute("select queue from pgqueue.queue order by 1")]


def depth(db: psycopg.Connection) -> int:
    row = db.execute("select count(*) from pgqueue.messages where queue = 'orders'").fetchone()
    assert row is not None
    return int(row[0])


def test_a_queue_is_made_shown_changed_and_dropped(pgqueue: Pgqueue, db: psycopg.Connection) -> None:
    words = ("queues", "create", "orders", "--set", "vt=180", "--set", "health_stale=240")
    assert pgqueue(*words).stdout == pgqueue(*words).stdout == "queue orders is there\n"
    shown = json.loads(pgqueue("queues", "show", "orders", "--json").stdout)
    assert (shown["queue"], shown["depth"], shown["settings"]["vt"]) == ("orders", 0, 180)
    assert shown["settings"]["backoff"] == {"base": 1, "factor": 2, "cap": 3600, "jitter": 0.2}
    changed = pgqueue("queues", "configure", "orders", "--set", "vt=null", "--set", "batch=7", "--json")
    assert [json.loads(changed.stdout)[name] for name in ("vt", "health_stale", "batch")] == [30, 240, 7]
    (listed,) = pgqueue("queues", "list", "--json").stdout.splitlines()
    assert json.loads(listed)["queue"] == "orders"
    dropped = ("queues", "drop", "orders", "--yes", "--json")
    assert json.loads(pgqueue(*dropped).stdout) == {"queue": "orders", "dropped": True}
    assert json.loads(pgqueue(*dropped).stdout) == {"queue": "orders", "dropped": False}
    assert queues(db) == []


@pytest.mark.parametrize("name", ["-x", "--help", "..", "a/b", "Orders", "a;drop schema pgqueue cascade"])
def test_a_bad_name_makes_no_queue(pgqueue: Pgqueue, db: psycopg.Connection, name: str) -> None:
    one_line(pgqueue("queues", "create", "--", name), 2, "queue name")
    assert queues(db) == []


def test_reserved_words_are_names_like_others(pgqueue: Pgqueue) -> None:
    for name in ("select", "user", "pg_class", "public"):
        assert pgqueue("queues", "create", name).returncode == 0
        assert pgqueue("send", name, "1").stdout == "1\n"
    listed = pgqueue("queues", "list", "--json").stdout.splitlines()
    assert [json.loads(line)["queue"] for line in listed] == ["pg_class", "public", "select", "user"]


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("create", "orders", "--set", "vt=20"), 1, "exists with other settings"),
        (("configure", "orders", "--set", "vt=5m"), 2, "setting vt can't be '5m'"),
        (("configure", "orders", "--set", "vt=90"), 2, "health_stale"),
        (("configure", "orders", "--set", "lease=5"), 2, "unknown setting 'lease'"),
        (("configure", "orders", "--set", "max_in_flight=-1"), 2, "setting max_in_flight can't be -1"),
        (("configure", "orders", "--set", "rate_limit=0.0001"), 2, "rate_limit"),
        (("configure", "orders", "--set", "max_in_flight_per_key=1"), 1, "kind => 'row'"),
        (("pause", "orders"), 2, "--why"),
        (("pause", "orders", "--why", " "), 2, "why the queue is paused"),
        (("pause", "orders", "--why", "x", "--for", "0"), 2, "can't last 0.0 s"),
        (("pause", "orders", "--why", "x", "--for", "nan"), 2, "--for"),
        (("pause", "ordres", "--why", "x"), 1, "Did you mean orders"),
        (("resume", "ordres"), 1, "Did you mean orders"),
        (("drop", "orders", "--yes"), 1, "force"),
        (("drop", "orders", "--force"), 2, "--yes"),
        (("purge", "orders"), 2, "--yes"),
    ],
)
def test_what_is_refused_changes_nothing(
    pgqueue: Pgqueue, orders: str, db: psycopg.Connection, words: tuple[str, ...], code: int, said: str
) -> None:
    pgqueue("send", "orders", "1")
    before = db.execute("select settings from pgqueue.queue").fetchall()
    one_line(pgqueue("queues", *words), code, said)
    assert db.execute("select settings from pgqueue.queue").fetchall() == before
    assert depth(db) == 1


def test_a_queue_is_paused_shown_and_resumed(pgqueue: Pgqueue, orders: str) -> None:
    paused = pgqueue("queues", "pause", "orders", "--why", "mails are down", "--for", "600", "--json")
    facts = json.loads(paused.stdout)
    assert (facts["queue"], facts["paused"]["why"]) == ("orders", "mails are down")
    assert set(facts["paused"]) == {"by", "why", "at", "until"}
    shown = json.loads(pgqueue("queues", "show", "orders", "--json").stdout)
    listed = json.loads(pgqueue("queues", "list", "--json").stdout)
    assert shown["paused"] == listed["paused"] == facts["paused"]
    assert "mails are down" in pgqueue("queues", "list").stdout
    assert "paused why" in pgqueue("queues", "show", "orders").stdout
    pgqueue("send", "orders", "1")
    assert pgqueue("queues", "pause", "orders", "--why", "for good").stdout == "queue orders is paused\n"
    assert pgqueue("queues", "resume", "orders").stdout == "queue orders is resumed\n"
    assert pgqueue("queues", "resume", "orders").stdout == "queue orders was not paused\n"
    assert json.loads(pgqueue("queues", "resume", "orders", "--json").stdout) == {
        "queue": "orders",
        "resumed": False,
    }
    assert json.loads(pgqueue("queues", "show", "orders", "--json").stdout)["paused"] is None


def test_limits_are_made_and_changed_as_any_setting(pgqueue: Pgqueue) -> None:
    made = (
        "queues",
        "create",
        "mails",
        "--kind",
        "row",
        "--set",
        "rate_limit=2.5",
        "--set",
        "max_in_flight_per_key=2",
    )
    assert pgqueue(*made).returncode == 0
    changed = pgqueue(
        "queues", "configure", "mails", "--set", "max_in_flight=5", "--set", "rate_limit=null", "--json"
    )
    settings = json.loads(changed.stdout)
    names = ("rate_limit", "rate_burst", "max_in_flight", "max_in_flight_per_key")
    assert [settings[name] for name in names] == [0, 0, 5, 2]


def at_a_terminal(environment: dict[str, str], typed: str, *words: str) -> tuple[int, str]:
    """Run the command with a terminal on standard input; return code and what it said on stderr."""
    ours, theirs = pty.openpty()
    os.write(ours, typed.encode())
    try:
        ended = subprocess.run(
            [*PROGRAM, *words],
            env=environment,
            stdin=theirs,
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
    finally:
        os.close(ours)
        os.close(theirs)
    return ended.returncode, ended.stderr


def test_the_typed_name_purges_and_another_does_not(
    pgqueue: Pgqueue, environment: dict[str, str], orders: str, db: psycopg.Connection
) -> None:
    pgqueue("send", "orders", "--lines", stdin="1\n2\n")
    code, said = at_a_terminal(environment, "ordres\n", "queues", "purge", "orders")
    assert code == 2
    assert "orders holds 2 messages (0 in flight) and 0 dead letters." in said
    assert "nothing was changed" in said
    assert depth(db) == 2
    assert at_a_terminal(environment, "orders\n", "queues", "purge", "orders")[0] == 0
    assert depth(db) == 0


def test_a_queue_with_messages_is_dropped_with_force(
    pgqueue: Pgqueue, orders: str, db: psycopg.Connection
) -> None:
    pgqueue("send", "orders", "1")
    assert pgqueue("queues", "drop", "orders", "--force", "--yes").stdout == "queue orders is dropped\n"
    assert queues(db) == []
