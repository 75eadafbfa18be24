"""A database that can't be used: the code says why, one line says what to do, no password is shown."""

from __future__ import annotations

import subprocess

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from tests_integration.cli.conftest import PROGRAM, Pgqueue, one_line
from tests_integration.fixtures.database import Database

COMMANDS = [("migrate",), ("queues", "list"), ("migrate", "--plan"), ("send", "orders", "1"), ("demo",)]
UNREACHABLE = {
    "down": {"port": "1"},
    "password": {"password": "hush-hush"},
    "database": {"dbname": "no_such_database"},
    "user": {"user": "nobody_here", "password": "hush-hush"},
    "host": {"host": "host.invalid"},
    "tls": {"sslmode": "require"},
}


@pytest.mark.parametrize(
    ("words", "case"),
    [(words, case) for words in COMMANDS[:2] for case in UNREACHABLE]
    + [(words, "down") for words in COMMANDS[2:]],
    ids=str,
)
def test_unreachable_is_4_and_says_what_to_check(
    pgqueue: Pgqueue, database: Database, words: tuple[str, ...], case: str
) -> None:
    ended = pgqueue(*words, "--dsn", make_conninfo(database.conninfo, **UNREACHABLE[case]))
    one_line(ended, 4, "Check that Postgres runs there and that user, password and database are right.")
    password = conninfo_to_dict(database.conninfo)["password"]
    assert not {"hush-hush", str(password)} & set(ended.stderr.replace("=", " ").split())
    assert "hush-hush" not in ended.stderr


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
@pytest.mark.parametrize(
    "dsn",
    [
        "nonsense",
        "mysql://root:hush@localhost/x",
        "foo=bar",
        "postgresql://u:hu sh@h:port/x",
        "postgresql://\udcff",
    ],
)
def test_a_dsn_that_is_none_is_3(pgqueue: Pgqueue, words: tuple[str, ...], dsn: str) -> None:
    ended = pgqueue(*words, environ={"PGQUEUE_DSN": dsn})
    one_line(ended, 3, "DSN")
    assert "hu" not in ended.stderr.split("Give")[0].replace("authority", "")


@pytest.mark.parametrize(
    "words", [("queues", "list"), ("send", "orders", "1"), ("peek", "orders"), ("dead", "list", "orders")]
)
def test_a_missing_schema_is_5_and_the_cure_is_migrate(
    pgqueue: Pgqueue, empty_database: Database, words: tuple[str, ...]
) -> None:
    one_line(pgqueue(*words, "--dsn", empty_database.conninfo), 5, "Run `pgqueue migrate`.")


def objects(database: Database) -> int:
    row = (
        database.connect()
        .execute(
            "select count(*) from pg_class c join pg_namespace n on n.oid = c.relnamespace where nspname = 'pgqueue'"
        )
        .fetchone()
    )
    assert row is not None
    return int(row[0])


def test_plan_says_what_would_be_done_and_writes_nothing(pgqueue: Pgqueue, empty_database: Database) -> None:
    ended = pgqueue("migrate", "--plan", "--dsn", empty_database.conninfo)
    assert ended.returncode == 0
    assert ended.stdout.startswith("migration 0001 ")
    assert objects(empty_database) == 0


def test_sql_needs_no_database(pgqueue: Pgqueue) -> None:
    ended = pgqueue("migrate", "--sql", environ={"PGQUEUE_DSN": "host=127.0.0.1 port=1"})
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "create role" in ended.stdout
    assert "create role" not in pgqueue("migrate", "--sql", "--no-roles").stdout


def test_two_at_once_both_succeed(environment: dict[str, str], empty_database: Database) -> None:
    words = [*PROGRAM, "migrate", "--dsn", empty_database.conninfo]
    both = [subprocess.Popen(words, env=environment, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    said = [process.communicate(timeout=50)[0] for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert sorted(text.splitlines()[-1] for text in said) == [
        "done",
        "nothing to do: the schema is up to date",
    ]


def test_a_newer_schema_is_5(pgqueue: Pgqueue, database: Database, db: psycopg.Connection) -> None:
    db.execute("insert into pgqueue.migration values (9999, 'later', 'x', true, '9.9', now())")
    one_line(pgqueue("migrate"), 5, "version 9999")


def test_foreign_tables_are_5_and_left_alone(pgqueue: Pgqueue, empty_database: Database) -> None:
    empty_database.connect().execute("create schema pgqueue create table jobs (id int)")
    one_line(pgqueue("migrate", "--dsn", empty_database.conninfo), 5, "jobs")
    assert objects(empty_database) == 1


def test_missing_rights_are_1_and_named(pgqueue: Pgqueue, empty_database: Database) -> None:
    role = f"weak_{empty_database.name}"
    db = empty_database.connect()
    db.execute(f"create role {role} login password 'weak'".encode())
    try:
        weak = make_conninfo(empty_database.conninfo, user=role, password="weak")
        one_line(pgqueue("migrate", "--no-roles", "--dsn", weak), 1, "permission denied")
    finally:
        db.execute(f"drop role {role}".encode())
    assert objects(empty_database) == 0


def test_a_producer_may_send_and_is_told_what_it_lacks(
    pgqueue: Pgqueue, database: Database, orders: str, db: psycopg.Connection
) -> None:
    role = f"weak_{database.name}"
    db.execute(f"create role {role} login password 'weak' in role pgqueue_producer".encode())
    try:
        weak = make_conninfo(database.conninfo, user=role, password="weak")
        assert pgqueue("send", "orders", "1", "--dsn", weak).stdout == "1\n"
        one_line(pgqueue("queues", "purge", "orders", "--yes", "--dsn", weak), 1, "grant pgqueue_operator")
        one_line(pgqueue("send", "ordres", "1", "--dsn", weak), 1, 'queue "ordres" does not exist')
    finally:
        db.execute(f"drop role {role}".encode())
