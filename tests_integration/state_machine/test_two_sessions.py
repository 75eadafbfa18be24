"""Whatever two sessions do at once: no message is leased twice, none is lost, and nothing deadlocks."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from tests_integration.fixtures.database import Database
from tests_integration.fixtures.verbs import KINDS, Kind
from tests_integration.state_machine.engine import receipts_of
from tests_integration.state_machine.test_state_machine import plant
from tests_integration.state_machine.two_sessions import Books, Broken, Schedule, Session

SCHEDULES, STEPS = 60, 12


def explore(database: Database, schedules: int, kind: Kind = "row") -> Counter[str]:
    count: Counter[str] = Counter()
    observer = database.connect()
    connections = [database.connect(options="-c lock_timeout=50ms") for _ in range(2)]
    with ThreadPoolExecutor(2) as pool:
        try:
            for seed in range(schedules):
                follow(seed, observer, connections, count, pool, kind)
        finally:
            for connection in connections:
                connection.cancel_safe()
    return count


def follow(
    seed: int,
    observer: psycopg.Connection,
    connections: list[psycopg.Connection],
    count: Counter[str],
    pool: ThreadPoolExecutor,
    kind: Kind,
) -> None:
    observer.execute(
        f"select pgqueue.drop_queue('work', true); select pgqueue.create_queue('work', '{kind}')".encode()
    )
    books = Books()
    ids = observer.execute("select pgqueue.send('work', '1') from generate_series(1, 6)").fetchall()
    books.alive.update(row[0] for row in ids)
    left, right = (Session(connection, books, count) for connection in connections)
    left.other, right.other = right, left
    Schedule(seed, [left, right], observer).run(STEPS, pool)
    nothing_is_lost(observer, books, kind)


def nothing_is_lost(observer: psycopg.Connection, books: Books, kind: Kind) -> None:
    alive = {row[0] for row in observer.execute("select msg_id from pgqueue.q_work").fetchall()}
    assert alive == books.alive
    leased = observer.execute(
        f"select msg_id, receipt from ({receipts_of('work', kind)}) r where receipt is not null".encode()
    ).fetchall()
    assert dict(leased) == books.leases
    for verb, table in (("archive", "a_work"), ("bury", "d_work")):
        kept = {row[0] for row in observer.execute(f"select msg_id from pgqueue.{table}".encode()).fetchall()}
        assert kept == {msg_id for msg_id, how in books.ended.items() if how == verb}


@pytest.mark.parametrize("kind", KINDS)
def test_two_sessions_never_share_a_lease_lose_a_message_or_deadlock(database: Database, kind: Kind) -> None:
    count = explore(database, SCHEDULES, kind)
    assert min(count["leased"], count["settled"]) > SCHEDULES, f"the schedules did too little: {count}"
    assert count["blocked"] > 10, f"the schedules hardly ever met: {count}"


def test_sharing_a_lease_is_found_out(database: Database) -> None:
    plant(database, "read", "set vt = v_until, read_ct", "set read_ct")
    with pytest.raises(Broken, match="handed out twice"):
        explore(database, 10)


def test_settling_by_another_receipt_is_found_out(database: Database) -> None:
    plant(database, "archive_batch", "v_receipts is null or", "true or")
    with pytest.raises(Broken, match="a receipt that is not the message's"):
        explore(database, SCHEDULES)


def test_losing_a_message_is_found_out(database: Database) -> None:
    plant(database, "archive_batch", "from gone g\n    )", "from gone g where false\n    )")
    with pytest.raises(AssertionError):
        explore(database, SCHEDULES)
