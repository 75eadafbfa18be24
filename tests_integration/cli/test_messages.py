"""Send, peek, dead: what is printed is what is in the tables."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import psycopg
import pytest

from pgqueue import PgQueue
from tests_integration.cli.conftest import PROGRAM, Pgqueue, one_line
from tests_integration.fixtures.database import Database


def messages(db: psycopg.Connection) -> list[object]:
    return [row[0] for row in db.execute("select message from pgqueue.messages order by msg_id")]


def test_lines_are_all_sent_and_their_ids_counted(
    pgqueue: Pgqueue, orders: str, db: psycopg.Connection
) -> None:
    lines = "".join(f'{{"n": {n}}}\n' for n in range(1_000))
    ended = pgqueue("send", "orders", "--lines", stdin=lines)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert [int(line) for line in ended.stdout.splitlines()] == list(range(1, 1_001))
    assert messages(db) == [{"n": n} for n in range(1_000)]


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        ("{7}", "line 7 of standard input is no JSON"),
        ('"\\u0000"', "NUL"),
        ('"\\ud800"', "lone surrogate"),
        ("[" * 200 + "]" * 200, "nested"),
        ("NaN", "nan is no JSON number"),
        ('{"id": 123456789012345678901234567890}', "beyond 64 bit"),
        ('"' + "x" * 1_048_577 + '"', "1048576"),
    ],
    ids=["no json", "nul", "surrogate", "deep", "nan", "number", "large"],
)
def test_one_bad_line_of_eight_sends_nothing(
    pgqueue: Pgqueue, orders: str, db: psycopg.Connection, bad: str, said: str
) -> None:
    one_line(pgqueue("send", "orders", "--lines", stdin="1\n2\n3\n4\n5\n6\n" + bad + "\n8\n"), 2, said)
    assert messages(db) == []


def test_a_file_is_sent_by_its_content(
    pgqueue: Pgqueue, orders: str, db: psycopg.Connection, tmp_path: Path
) -> None:
    (tmp_path / "order.json").write_bytes(b'\xef\xbb\xbf{\r\n"id": 7\r\n}')
    with (tmp_path / "order.json").open("rb") as file:
        assert pgqueue("send", "orders", feed=file).stdout == "1\n"
    assert messages(db) == [{"id": 7}]


def test_endless_input_is_refused_with_bounded_memory(environment: dict[str, str], orders: str) -> None:
    with Path("/dev/zero").open("rb") as zero:
        process = subprocess.Popen(
            [*PROGRAM, "send", "orders"], env=environment, stdin=zero, stderr=subprocess.PIPE
        )
        assert process.stderr is not None
        said = process.stderr.read().decode()
        process.stderr.close()
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 2
    assert "more than 67108864 bytes" in said
    assert used.ru_maxrss < 300 * 1024  # KiB


def test_a_key_sends_once(pgqueue: Pgqueue, orders: str, db: psycopg.Connection) -> None:
    assert pgqueue("send", "orders", "1", "--key", "k").stdout == "1\n"
    assert pgqueue("send", "orders", "1", "--key", "k").stdout == "1\n"
    assert messages(db) == [1]


@pytest.mark.parametrize(
    "words",
    [
        ("send", "ordres", "1"),
        ("peek", "ordres"),
        ("dead", "list", "ordres"),
        ("dead", "redrive", "ordres", "1"),
        ("queues", "show", "ordres"),
        ("queues", "purge", "ordres", "--yes"),
    ],
)
def test_a_misspelt_queue_is_answered_with_the_right_one(
    pgqueue: Pgqueue, orders: str, words: tuple[str, ...]
) -> None:
    one_line(pgqueue(*words), 1, 'queue "ordres" does not exist. Did you mean orders?')


def test_peek_pages_by_id_and_filters_by_state(pgqueue: Pgqueue, orders: str) -> None:
    pgqueue("send", "orders", "--lines", stdin="1\n2\n3\n")
    pgqueue("send", "orders", "4", "--delay", "60")
    found = [
        json.loads(line) for line in pgqueue("peek", "orders", "--json", "--after", "1").stdout.splitlines()
    ]
    assert [(row["msg_id"], row["state"], row["message"]) for row in found] == [
        (2, "ready", 2),
        (3, "ready", 3),
        (4, "delayed", 4),
    ]
    delayed = pgqueue("peek", "orders", "--json", "--state", "delayed").stdout.splitlines()
    assert [json.loads(line)["msg_id"] for line in delayed] == [4]


@pytest.fixture
def buried(database: Database, orders: str) -> None:
    """Dead letters 1 and 2 in orders, and 1 in mails."""
    with PgQueue(database.conninfo) as client:
        client.create_queue("mails")
        for queue, message in (("orders", 1), ("orders", 2), ("mails", 3)):
            client.bury(queue, client.send(queue, message), "broken", "why")


def test_dead_letters_are_listed_whole(pgqueue: Pgqueue, buried: None) -> None:
    found = [json.loads(line) for line in pgqueue("dead", "list", "orders", "--json").stdout.splitlines()]
    assert [(row["msg_id"], row["reason"], row["error"], row["message"]) for row in found] == [
        (1, "broken", "why", 1),
        (2, "broken", "why", 2),
    ]


def test_ids_that_are_unknown_or_of_another_queue_or_done_are_named(
    pgqueue: Pgqueue, buried: None, db: psycopg.Connection
) -> None:
    ended = pgqueue("dead", "redrive", "orders", "1", "999")
    assert (ended.returncode, ended.stdout) == (6, "1 dead letters sent again\n  1 -> 3\n")
    assert ended.stderr == "pgqueue: no dead letters of orders, or sent again before: 999\n"
    assert pgqueue("dead", "redrive", "mails", "2").returncode == 6
    assert pgqueue("dead", "redrive", "orders", "1").returncode == 6
    assert messages(db) == [1]


def test_all_are_redriven_only_with_yes_and_only_once(
    pgqueue: Pgqueue, buried: None, db: psycopg.Connection
) -> None:
    one_line(pgqueue("dead", "redrive", "orders", "--all"), 2, "--all needs --yes")
    assert messages(db) == []
    ended = pgqueue("dead", "redrive", "orders", "--all", "--yes", "--json")
    assert ended.stdout == '{"old_id":1,"new_id":3}\n{"old_id":2,"new_id":4}\n'
    again = pgqueue("dead", "redrive", "orders", "--all", "--yes", "--json")
    assert (again.returncode, again.stdout) == (0, "")
    assert messages(db) == [1, 2]
    assert pgqueue("dead", "list", "orders").stdout == "no dead letters in orders\n"
    assert len(pgqueue("dead", "list", "orders", "--redriven", "--json").stdout.splitlines()) == 2
