"""`migrate` is safe to repeat, to run many times at once, and beside running workers."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import psycopg
import pytest

from pgqueue.migrate.apply import Script, migrate, preview
from pgqueue.migrate.sql_files import load
from tests_integration.fixtures.waiting import eventually
from tests_integration.upgrade.catalogue import dump, same_schema
from tests_integration.upgrade.servers import VERSION, install, script_of


def test_second_migrate_does_nothing_and_writes_nothing(empty: str) -> None:
    assert not install(empty).empty
    before = dump(empty)
    with psycopg.connect(empty) as db:
        db.execute("select pgqueue.create_queue('orders'), pgqueue.send('orders', '1')")

    @contextlib.contextmanager
    def script_that_must_not_write() -> Iterator[Script]:
        with script_of(empty)() as script:
            yield script
            assert script.rows("select pg_current_xact_id_if_assigned()::text") == [(None,)]

    assert migrate(script_that_must_not_write, package_version=VERSION).empty
    with psycopg.connect(empty) as db:
        db.execute("select pgqueue.drop_queue('orders', true)")
    same_schema(dump(empty), before)


def test_preview_writes_nothing_and_says_what_migrate_then_does(empty: str) -> None:
    previewed = preview(script_of(empty), package_version="0.1.0")
    assert dump_of_nothing(empty)
    assert previewed == install(empty)
    assert preview(script_of(empty), package_version="0.1.0").lines() == [
        "nothing to do: the schema is up to date"
    ]


@pytest.mark.parametrize("isolation", ["read committed", "repeatable read", "serializable"])
def test_twenty_at_once_leave_one_schema_and_twenty_successes(empty: str, fresh: str, isolation: str) -> None:
    with psycopg.connect(empty, autocommit=True) as db:
        db.execute(
            f"alter database {db.info.dbname} set default_transaction_isolation = '{isolation}'".encode()
        )
    with ThreadPoolExecutor(20) as pool:
        plans = list(pool.map(install, [empty] * 20))
    assert sum(not plan.empty for plan in plans) == 1
    install(fresh)
    same_schema(dump(empty), dump(fresh))
    with psycopg.connect(empty) as db:
        assert db.execute("select count(*) from pgqueue.migration").fetchone() == (len(load().migrations),)


def test_sequence_behind_its_ids_is_lifted(empty: str) -> None:
    install(empty)
    with psycopg.connect(empty, autocommit=True) as db:
        db.execute(
            "select pgqueue.create_queue('orders'); select pgqueue.send('orders', '1') from generate_series(1, 7)"
        )
        db.execute("select setval('pgqueue.s_orders', 1, false)")
        assert install(empty).empty
        assert db.execute("select pgqueue.send('orders', '1')").fetchone() == (8,)


def test_running_workers_survive_an_upgrade(empty: str) -> None:
    """Two workers with prepared statements over the clones never see an error while functions are re-applied."""
    install(empty)
    stop, rounds = threading.Event(), [0, 0]
    troubles: list[str] = []

    def work(number: int) -> None:
        with psycopg.connect(empty, autocommit=True, prepare_threshold=1) as db:
            while not stop.is_set():
                try:
                    db.execute("select pgqueue.send__orders('{}', key => %s)", [f"{number}-{rounds[number]}"])
                    for msg_id, receipt in db.execute(
                        "select msg_id, receipt from pgqueue.read__orders(qty => 2)"
                    ).fetchall():
                        db.execute(
                            "select * from pgqueue.delete_batch__orders(%s, %s)", [[msg_id], [receipt]]
                        )
                    rounds[number] += 1
                except psycopg.Error as error:
                    troubles.append(f"{error.sqlstate} {error}")

    with psycopg.connect(empty, autocommit=True) as db:
        db.execute("select pgqueue.create_queue('orders')")
        workers = [threading.Thread(target=work, args=(number,)) for number in range(2)]
        for worker in workers:
            worker.start()
        for _ in range(10):
            db.execute("update pgqueue.applied_functions set checksum = 'of an older release'")
            assert not install(empty).empty
            goal = [number + 1 for number in rounds]
            reached = partial(all_reached, rounds, goal, troubles)
            eventually(reached)
        stop.set()
        for worker in workers:
            worker.join(timeout=10)
    assert troubles == []


def test_lease_taken_before_an_upgrade_is_settled_after_it_in_the_same_transaction(empty: str) -> None:
    install(empty)
    with psycopg.connect(empty, autocommit=True) as db, psycopg.connect(empty) as worker:
        db.execute(
            "select pgqueue.create_queue('orders'); select pgqueue.send('orders', '1'), pgqueue.send('orders', '2')"
        )
        read = "select msg_id, receipt from pgqueue.read__orders()"
        first = worker.execute(read, prepare=True).fetchone()
        assert first is not None
        db.execute("update pgqueue.applied_functions set checksum = 'of an older release'")
        install(empty)
        second = worker.execute(read, prepare=True).fetchone()
        assert second is not None
        for lease in (first, second):
            assert worker.execute("select pgqueue.delete__orders(%s, %s)", lease).fetchone() == ("done",)


def all_reached(rounds: list[int], goal: list[int], troubles: list[str]) -> bool:
    return bool(troubles) or all(done >= wanted for done, wanted in zip(rounds, goal, strict=True))


def dump_of_nothing(conninfo: str) -> bool:
    with psycopg.connect(conninfo) as db:
        return db.execute("select to_regnamespace('pgqueue') is null").fetchone() == (True,)
