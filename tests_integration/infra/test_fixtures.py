"""The ground that every other integration test stands on."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from pgqueue.db.embedded import Cluster
from tests_integration.fixtures.bouncer import Bouncer
from tests_integration.fixtures.clock import START, Clock
from tests_integration.fixtures.cluster import tcp_conninfo
from tests_integration.fixtures.database import TEMPLATE, Database, fresh_database
from tests_integration.fixtures.door import Door
from tests_integration.fixtures.waiting import eventually, wait_until_blocked


def scalar(connection: psycopg.Connection, query: str) -> object:
    row = connection.execute(query.encode()).fetchone()
    assert row is not None
    return row[0]


def test_each_database_is_migrated_and_alone(server: str, db: psycopg.Connection) -> None:
    db.execute("create table mine (id int)")
    with fresh_database(server, TEMPLATE, lambda name: name) as other:
        there = other.connect()
        assert scalar(there, "select to_regprocedure('pgqueue.clock()') is not null") is True
        assert scalar(there, "select to_regclass('mine') is null") is True


def test_empty_database_has_no_schema_of_ours(empty_database: Database) -> None:
    assert scalar(empty_database.connect(), "select to_regnamespace('pgqueue') is null") is True


def test_database_is_dropped_although_clients_are_left(server: str, bouncer: Bouncer) -> None:
    with fresh_database(server, "template1", bouncer.conninfo) as made:
        left_directly = psycopg.connect(made.conninfo)
        left_pooled = psycopg.connect(made.pooled_conninfo, prepare_threshold=None)
        for connection in (left_directly, left_pooled):
            connection.execute("select 1")  # both sit in an open transaction now
    with left_directly, left_pooled, psycopg.connect(server) as admin:
        remaining = admin.execute("select 1 from pg_database where datname = %s", [made.name]).fetchall()
        assert remaining == []
        with pytest.raises(psycopg.OperationalError):
            left_directly.execute("select 1")
        left_pooled.close()


def test_test_runs_through_each_door(door: Door) -> None:
    connection = door.connect()
    behind_a_pooler = scalar(connection, "select pg_backend_pid()") != connection.info.backend_pid
    assert behind_a_pooler == (door.kind == "pgbouncer")
    assert scalar(connection, "select current_database()") == connection.info.dbname


def test_clients_of_the_pooler_share_backends(
    database: Database, start_bouncer: Callable[..., Bouncer]
) -> None:
    bouncer = start_bouncer(database.conninfo, default_pool_size=2)
    clients = [
        psycopg.connect(bouncer.conninfo(database.name), autocommit=True, prepare_threshold=None)
        for _ in range(6)
    ]
    backends = {scalar(client, "select pg_backend_pid()") for client in clients}
    for client in clients:
        client.close()
    assert len(backends) <= 2


def test_pooler_restarts_on_its_port_and_can_be_killed(own_bouncer: Bouncer, database: Database) -> None:
    conninfo = own_bouncer.conninfo(database.name)
    for end in (own_bouncer.stop, own_bouncer.kill):
        with psycopg.connect(conninfo, autocommit=True, prepare_threshold=None) as client:
            client.execute("select 1")
            end()
            with pytest.raises(psycopg.OperationalError):
                client.execute("select 1")
            assert client.broken
        own_bouncer.start()
    with psycopg.connect(conninfo, prepare_threshold=None) as client:
        client.execute("select 1")


def test_pooler_cuts_an_idle_client_after_a_changed_setting(own_bouncer: Bouncer, database: Database) -> None:
    own_bouncer.set("client_idle_timeout", 1)
    conninfo = own_bouncer.conninfo(database.name)
    with psycopg.connect(conninfo, autocommit=True, prepare_threshold=None) as client:
        client.execute("select 1")
        eventually(lambda: f"{database.name}" not in _clients(own_bouncer), timeout=5)
        with pytest.raises(psycopg.OperationalError) as caught:
            client.execute("select 1")
    assert caught.value.sqlstate == "08P01"


def test_killed_pool_refuses_until_it_is_resumed(own_bouncer: Bouncer, database: Database) -> None:
    conninfo = own_bouncer.conninfo(database.name)
    with psycopg.connect(conninfo, autocommit=True, prepare_threshold=None) as client:
        client.execute("select 1")
        own_bouncer.admin(f"KILL {database.name}")
        with pytest.raises(psycopg.OperationalError):
            client.execute("select 1")
    own_bouncer.resume(database.name)
    with psycopg.connect(conninfo, autocommit=True, prepare_threshold=None) as client:
        client.execute("select 1")


def test_paused_pool_answers_after_resume(own_bouncer: Bouncer, database: Database) -> None:
    conninfo = own_bouncer.conninfo(database.name)
    answers: list[object] = []
    with psycopg.connect(conninfo, autocommit=True, prepare_threshold=None) as client:
        client.execute("select 1")
        own_bouncer.pause(database.name)
        asking = threading.Thread(target=lambda: answers.append(scalar(client, "select 7")))
        asking.start()
        eventually(lambda: _waiting(own_bouncer, database.name))
        assert answers == []
        own_bouncer.resume(database.name)
        asking.join(timeout=5)
    assert answers == [7]


def test_clock_stands_still_until_it_is_moved(db: psycopg.Connection, clock: Clock) -> None:
    assert clock.now() == START
    assert scalar(db, "select pgqueue.clock()") == START
    assert clock.advance(90.5) == START + timedelta(seconds=90.5)
    assert scalar(db, "select pgqueue.clock()") == START + timedelta(seconds=90.5)
    clock.set(datetime(2029, 5, 6, 7, 8, 9, 123456, tzinfo=UTC))
    assert scalar(db, "select pgqueue.clock()") == datetime(2029, 5, 6, 7, 8, 9, 123456, tzinfo=UTC)


def test_clock_moves_inside_a_repeatable_read_transaction(database: Database, clock: Clock) -> None:
    with database.connect(autocommit=False) as connection:
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        assert scalar(connection, "select pgqueue.clock()") == START
        clock.advance(1)
        assert scalar(connection, "select pgqueue.clock()") == START + timedelta(seconds=1)


def test_waiting_for_a_lock_is_seen(database: Database, db: psycopg.Connection) -> None:
    db.execute("create table t (id int primary key); insert into t values (1)")
    holder, blocked = database.connect(autocommit=False), database.connect()
    holder.execute("update t set id = 1")
    thread = threading.Thread(target=lambda: blocked.execute("update t set id = 1"))
    thread.start()
    wait_until_blocked(db, blocked.info.backend_pid)
    holder.rollback()
    thread.join(timeout=5)
    assert not thread.is_alive()


def test_own_cluster_keeps_fsync_and_its_address_over_a_crash(own_cluster: Cluster) -> None:
    address = tcp_conninfo(own_cluster)
    with psycopg.connect(address, autocommit=True) as connection:
        assert scalar(connection, "show fsync") == "on"
        connection.execute("create table kept as select 42 as answer")
    own_cluster.kill()
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(address)
    own_cluster.start()
    with psycopg.connect(address) as connection:
        assert scalar(connection, "select answer from kept") == 42


def _clients(bouncer: Bouncer) -> set[object]:
    return {row[2] for row in bouncer.admin("SHOW CLIENTS")} - {"pgbouncer"}


def _waiting(bouncer: Bouncer, dbname: str) -> bool:
    return any(row[2] == dbname and row[3] == "waiting" for row in bouncer.admin("SHOW CLIENTS"))
