"""What `migrate` will not touch, and what it says instead."""

from __future__ import annotations

import shutil
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from pgqueue.db.embedded import Cluster
from pgqueue.errors import ConfigurationError, PermissionDenied, SchemaMismatch
from pgqueue.migrate import apply
from pgqueue.migrate.apply import ROLES
from pgqueue.migrate.sql_files import load, sql_directory
from tests_integration.fixtures.cluster import tcp_conninfo
from tests_integration.upgrade.catalogue import dump, same_schema
from tests_integration.upgrade.servers import Server, install


def test_edited_migration_is_refused(empty: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(empty)
    before = dump(empty)
    tree = Path(shutil.copytree(sql_directory(), tmp_path / "sql"))
    migration = min((tree / "migrations").iterdir())
    migration.write_text(migration.read_text() + "\n-- one more word\n")
    monkeypatch.setattr(apply, "load", lambda: load(tree))
    with pytest.raises(SchemaMismatch, match="0001 was edited"):
        install(empty)
    same_schema(dump(empty), before)


def test_newer_schema_is_refused(empty: str) -> None:
    install(empty)
    with psycopg.connect(empty) as db:
        db.execute("insert into pgqueue.migration values (9999, 'from_the_future', 'x', true, '9.9', now())")
    before = dump(empty)
    with pytest.raises(SchemaMismatch, match="version 9999"):
        install(empty)
    same_schema(dump(empty), before)


@pytest.mark.parametrize(
    "theirs",
    [
        "create table pgqueue.jobs (id int)",
        "create function pgqueue.enqueue(int) returns int language sql as 'select 1'",
        "create type pgqueue.mood as enum ('calm')",
    ],
)
def test_schema_of_a_stranger_is_refused_and_left_alone(empty: str, theirs: str) -> None:
    with psycopg.connect(empty, autocommit=True) as db:
        db.execute("create schema pgqueue")
        db.execute(theirs.encode())
    before = dump(empty)
    with pytest.raises(SchemaMismatch, match="isn't ours"):
        install(empty)
    same_schema(dump(empty), before)


def test_empty_schema_that_an_administrator_made_is_used(empty: str) -> None:
    with psycopg.connect(empty) as db:
        db.execute("create schema pgqueue")
    assert not install(empty).empty


def test_database_in_another_encoding_is_refused(any_server: Server) -> None:
    with any_server.database("encoding 'SQL_ASCII' template template0 locale 'C'") as conninfo:
        with pytest.raises(ConfigurationError, match="SQL_ASCII"):
            install(conninfo)


# The roles belong to the whole server: these tests have one of their own.


@pytest.fixture
def owned(own_cluster: Cluster) -> tuple[str, str]:
    """Give the conninfos of an administrator and of a plain role that owns the database."""
    admin = tcp_conninfo(own_cluster, "postgres")
    with psycopg.connect(admin, autocommit=True) as db:
        db.execute("create role plain login password 'secret' nosuperuser nocreaterole nocreatedb")
        db.execute("create database app owner plain")
    plain = make_conninfo(admin, dbname="app", user="plain", password="secret")
    return make_conninfo(admin, dbname="app"), plain


def test_owner_without_any_right_over_roles_migrates_without_them(owned: tuple[str, str]) -> None:
    _, plain = owned
    assert not install(plain, roles=False).empty
    with psycopg.connect(plain, autocommit=True) as db:
        db.execute("select pgqueue.create_queue('orders'), pgqueue.send('orders', '1')")
        assert db.execute("select count(*) from pgqueue.read('orders')").fetchone() == (1,)
        assert db.execute(
            "select count(*) from pg_roles where rolname = any (%s)", [list(ROLES)]
        ).fetchone() == (0,)


def test_missing_roles_without_the_right_to_make_them_print_the_statements(owned: tuple[str, str]) -> None:
    admin, plain = owned
    with pytest.raises(PermissionDenied) as caught:
        install(plain)
    for role in ROLES:
        assert f"create role {role} nologin;" in str(caught.value)
    with psycopg.connect(admin) as db:
        assert db.execute("select to_regnamespace('pgqueue') is null").fetchone() == (True,)


def test_roles_that_come_later_get_their_grants_at_the_next_migrate(owned: tuple[str, str]) -> None:
    admin, plain = owned
    install(plain, roles=False)
    with psycopg.connect(plain) as db:
        db.execute("select pgqueue.create_queue('orders')")
    with psycopg.connect(admin, autocommit=True) as db:
        for role in ROLES:
            db.execute(f"create role {role} nologin".encode())
        assert not install(plain).empty
        may = "select has_function_privilege('pgqueue_producer', p.oid, 'execute') from pg_proc p where proname = %s"
        assert db.execute(may, ["send"]).fetchone() == (True,)
        assert db.execute(may, ["send__orders"]).fetchone() == (True,)
        assert install(plain).empty
