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
