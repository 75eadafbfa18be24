"""A migrating process may be killed anywhere: nothing of it is left, and the next one does it all."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest

from tests_integration.fixtures.waiting import eventually
from tests_integration.upgrade.catalogue import dump, same_schema
from tests_integration.upgrade.servers import install

MIGRATE = """
import sys
from tests_integration.upgrade.servers import install
install(sys.argv[1])
"""
WAITING = """
select pid from pg_stat_activity
where datname = current_database() and application_name = 'pgqueue/migrate' and wait_event_type = 'Lock'"""
PRESENT = "select pid from pg_stat_activity where datname = current_database() and application_name = 'pgqueue/migrate'"

# What another session holds, so that a migrate stops there: in the order in which a first installation comes to them.
FIRST_INSTALL = {
    "before anything": "select pg_advisory_xact_lock(hashtextextended('pgqueue.ddl', 0))",
    "at the schema": "create schema pgqueue",
    "at the first table": "lock table pg_class in share mode",
    "at the first comment": "lock table pg_description in share mode",
    "at the first view": "lock table pg_rewrite in share mode",
    "at the first function": "lock table pg_proc in share mode",
}
UPGRADE = {
    "before anything": "select pg_advisory_xact_lock(hashtextextended('pgqueue.ddl', 0))",
    "at a view": "lock table pgqueue.messages in access share mode",
    "at the last step": "lock table pgqueue.applied_functions in share mode",
}


@pytest.mark.parametrize("place", FIRST_INSTALL)
def test_killed_first_install_leaves_nothing(empty: str, fresh: str, place: str) -> None:
    with killed_while_waiting(empty, FIRST_INSTALL[place]) as db:
        assert db.execute("select to_regnamespace('pgqueue') is null").fetchone() == (True,)
    assert not install(empty).empty
    install(fresh)
    same_schema(dump(empty), dump(fresh))


@pytest.mark.parametrize("place", UPGRADE)
def test_killed_upgrade_leaves_the_old_release_whole(empty: str, place: str) -> None:
    install(empty)
    new = dump(empty)
    with psycopg.connect(empty, autocommit=True) as db:
        db.execute("update pgqueue.applied_functions set checksum = 'of an older release'")
        db.execute("create function pgqueue.obsolete() returns int language sql as 'select 1'")
    old = dump(empty)
    with killed_while_waiting(empty, UPGRADE[place]):
        same_schema(dump(empty), old)
    assert not install(empty).empty
    same_schema(dump(empty), new)


@contextmanager
def killed_while_waiting(conninfo: str, lock: str) -> Iterator[psycopg.Connection]:
    """Let a process migrate until it waits for `lock`, kill it, and wait until the server has noticed."""
    with psycopg.connect(conninfo, autocommit=True) as observer:
        with psycopg.connect(conninfo) as holder:
            holder.execute(lock.encode())
            process = subprocess.Popen([sys.executable, "-c", MIGRATE, conninfo])
            try:
                eventually(lambda: observer.execute(WAITING).fetchall(), timeout=20)
            finally:
                process.send_signal(signal.SIGKILL)
                assert process.wait(timeout=5) == -signal.SIGKILL
            holder.rollback()
        eventually(lambda: not observer.execute(PRESENT).fetchall(), timeout=20)
        yield observer
