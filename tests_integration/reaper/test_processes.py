"""Real `pgqueue maintain` processes: what they do, who does it, and what becomes of it when one dies or stands still."""

from __future__ import annotations

import json
import signal
import time
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import make_conninfo
from psycopg.types.json import Jsonb

from tests_integration.fixtures.bouncer import Bouncer
from tests_integration.fixtures.clock import Clock
from tests_integration.fixtures.database import Database
from tests_integration.fixtures.verbs import Queue, create_queue, rows, scalar
from tests_integration.fixtures.waiting import eventually
from tests_integration.leadership.conftest import look
from tests_integration.reaper.conftest import QUICK, Maintainer, StartMaintainer

WEEK = 604_800
BARRIERS, ARCHIVED, CLAIMS = 20, 3_000, 50


def prepare(db: psycopg.Connection, clock: Clock) -> None:
    """Leave work for most chores that nobody has done: barriers past their deadline, an old archive, old tombstones."""
    for name in ("orders", "parts", "total"):
        create_queue(db, name, "log")
    orders = Queue(db, "orders", "through its clone", "log")
    for _ in range(ARCHIVED // 1000):
        orders.send_many(1000)
        read = orders.read(qty=1000)
        orders.rows("archive_batch", msg_ids=[one.msg_id for one in read], receipts=[read[0].receipt])
    for n in range(CLAIMS):
        token = scalar(db, "select pgqueue.try_claim('work', %s)", str(n))
        scalar(db, "select pgqueue.finish_claim('work', %s, %s, '1 hour')", str(n), token)
    for n in range(BARRIERS):
        arguments = [
            f"b{n}",
            Jsonb([{"queue": "parts", "message": {"n": n}}]),
            Jsonb({"queue": "total", "message": {"task": "sum"}}),
            Jsonb({"deadline": 60, "on_failure": {"queue": "total", "message": {"mourn": n}}}),
        ]
        scalar(db, "select pgqueue.barrier_arm(%s, %s, %s, %s)", *arguments)
    clock.advance(WEEK)


def left(db: psycopg.Connection) -> tuple[int, int, int]:
    """Count what is still to be done: archive, claims, live barriers."""
    (counts,) = db.execute(
        "select (select count(*) from pgqueue.a_orders), (select count(*) from pgqueue.claim),"
        " (select count(*) from pgqueue.barrier where state = 'live')"
    ).fetchall()
    archived, claims, live = counts
    return archived, claims, live


def totals(db: psycopg.Connection) -> dict[str, int]:
    return {row.chore: row.total for row in rows(db, "select chore, total from pgqueue.sweeps")}


def mourned(db: psycopg.Connection) -> list[int]:
    return sorted(
        row.n
        for row in rows(
            db, "select (message ->> 'mourn')::int as n from pgqueue.messages where queue = 'total'"
        )
    )


def test_what_nobody_does_is_done_and_reported(
    db: psycopg.Connection, clock: Clock, maintain: StartMaintainer
) -> None:
    prepare(db, clock)
    one = maintain()
    eventually(lambda: left(db) == (0, 0, 0), 20)
    assert mourned(db) == list(range(BARRIERS))
    eventually(lambda: len([s for s in rows(db, "select * from pgqueue.sweeps") if s.runs]) == 7)
    counted = totals(db)
    assert (counted["finished_messages"], counted["old_claims"], counted["barriers"]) == (
        ARCHIVED,
        CLAIMS,
        BARRIERS,
    )
    assert {s.state for s in rows(db, "select state from pgqueue.sweeps")} == {"ok"}
    one.send(signal.SIGTERM)
    assert one.end() == 0, one.output
    assert look(db).state == "free"
    assert [event["given_back"] for event in one.events("leader.resigned")] == [True]


def test_who_waits_for_what_a_swept_barrier_sends_is_woken(
    db: psycopg.Connection, database: Database, clock: Clock, maintain: StartMaintainer
) -> None:
    prepare(db, clock)
    ears = database.connect()
    ears.execute("listen pgqueue_total")
    assert ears.execute("select * from pgqueue.read_or_await('total', '1 hour')").fetchall() == []
    maintain()
    assert [heard.channel for heard in ears.notifies(timeout=20, stop_after=1)] == ["pgqueue_total"]


def leader_of(processes: list[Maintainer]) -> Maintainer:
    """Wait until one of them leads, and return it."""

    def leading() -> list[Maintainer]:
        return [
            one for one in processes if len(one.events("leader.elected")) > len(one.events("leader.lost"))
        ]

    eventually(lambda: len(leading()) == 1, 30)
    return leading()[0]


def test_a_killed_leader_is_replaced_when_its_lease_lapses(
    db: psycopg.Connection, maintain: StartMaintainer, record_property: Any
) -> None:
    processes = [maintain(*QUICK), maintain(*QUICK)]
    leader = leader_of(processes)
    (standby,) = [one for one in processes if one is not leader]
    standby.wait_for("reaper.started")
    eventually(lambda: look(db).renewed_at > look(db).elected_at)
    leader.send(signal.SIGKILL)
    killed, before = time.monotonic(), look(db)
    standby.wait_for("leader.elected")
    delay = time.monotonic() - killed
    record_property("takeover_seconds", round(delay, 2))
    after = look(db)
    assert after.holder != before.holder
    assert after.token > before.token
    assert after.elected_at >= before.expires_at, "two led at the same time"
    assert (after.elected_at - before.expires_at).total_seconds() < 1
    assert delay < 4


def test_of_five_reapers_one_stopped_in_the_middle_does_no_harm(
    db: psycopg.Connection, clock: Clock, maintain: StartMaintainer
) -> None:
    """F54, U139: the leader stands still, another one takes over and works, the first goes on."""
    processes = [maintain(*QUICK) for _ in range(5)]
    for one in processes:
        one.wait_for("reaper.started", timeout=40)
    stopped = leader_of(processes)
    others = [one for one in processes if one is not stopped]
    stopped.send(signal.SIGSTOP)
    prepare(db, clock)
    second = leader_of(others)
    eventually(lambda: left(db)[0] < ARCHIVED, 20)
    second.send(signal.SIGSTOP)  # perhaps in the middle of its work, perhaps after it
    stopped.send(signal.SIGCONT)
    clock.advance(3)
    stopped.wait_for("leader.lost")
    clock.advance(61)  # every chore is due for whoever leads
    third = leader_of([one for one in others if one is not second] + [stopped])
    second.send(signal.SIGCONT)
    second.wait_for("leader.lost")
    eventually(lambda: left(db) == (0, 0, 0), 20)
    eventually(lambda: totals(db).get("finished_messages") == ARCHIVED)
    assert mourned(db) == list(range(BARRIERS)), "a barrier's message was sent twice, or not at all"
    assert totals(db)["barriers"] == BARRIERS
    assert third.process.poll() is None
    for one in processes:
        one.send(signal.SIGTERM)
    assert [one.end() for one in processes] == [0] * 5


def test_through_a_pooler_that_dies_the_leader_steps_down_and_leads_again(
    db: psycopg.Connection, own_bouncer: Bouncer, database: Database, maintain: StartMaintainer
) -> None:
    one = maintain(*QUICK, dsn=own_bouncer.conninfo(database.name))
    one.wait_for("leader.elected")
    eventually(lambda: len(rows(db, "select from pgqueue.sweeps where runs > 0")) == 7, 15)
    own_bouncer.kill()
    one.wait_for("leader.lost")
    own_bouncer.start()
    one.wait_for("leader.elected", 2)
    ran = scalar(db, "select runs from pgqueue.sweeps where chore = 'schedules'")
    eventually(lambda: scalar(db, "select runs from pgqueue.sweeps where chore = 'schedules'") > ran, 10)
    assert {s.failures for s in rows(db, "select failures from pgqueue.sweeps")} == {0}


def test_a_database_that_is_not_there_is_waited_for_or_not(
    database: Database, maintain: StartMaintainer
) -> None:
    nowhere = make_conninfo(database.conninfo, port=1)
    waits, refuses = maintain(dsn=nowhere), maintain("--fail-fast", dsn=nowhere)
    assert refuses.end(30) == 4, refuses.output
    waits.wait_for("connect.failed")
    waits.send(signal.SIGTERM)
    assert waits.end() == 0, waits.output


def test_a_database_without_the_schema_is_refused(
    empty_database: Database, maintain: StartMaintainer
) -> None:
    assert maintain(dsn=empty_database.conninfo).end(30) == 5
    assert maintain("--once", dsn=empty_database.conninfo).end(30) == 5


@pytest.mark.parametrize(
    "options", [("--lease", "3", "--interval", "3"), ("--lease", "0"), ("--interval", "nan")]
)
def test_impossible_terms_end_with_the_code_of_configuration(
    maintain: StartMaintainer, options: tuple[str, ...]
) -> None:
    """U128"""
    assert maintain(*options).end(30) == 3


def once(maintain: StartMaintainer, **more: Any) -> tuple[int, dict[str, Any], str]:
    ended = maintain("--once", "--json", **more)
    code = ended.end(30)
    printed = [json.loads(line) for line in ended.output.splitlines() if line.startswith('{"chore"')]
    return code, {row["chore"]: row for row in printed}, ended.output


def test_by_hand_each_due_chore_runs_once_and_says_what_it_moved(
    db: psycopg.Connection, clock: Clock, maintain: StartMaintainer
) -> None:
    prepare(db, clock)
    code, printed, output = once(maintain)
    assert code == 0, output
    assert printed["finished_messages"] == {
        "chore": "finished_messages",
        "due": True,
        "moved": ARCHIVED,
        "more": False,
        "error": None,
    }
    assert left(db) == (0, 0, 0)
    assert look(db).state == "free"
    code, printed, output = once(maintain)
    assert code == 0, output
    assert {row["due"] for row in printed.values()} == {False}


def test_by_hand_a_chore_that_fails_is_named_and_the_others_run(
    db: psycopg.Connection, clock: Clock, maintain: StartMaintainer
) -> None:
    prepare(db, clock)
    db.execute("drop function pgqueue.forget_claims")
    code, printed, output = once(maintain)
    assert code == 6, output
    assert "forget_claims" in printed["old_claims"]["error"]
    assert left(db) == (0, CLAIMS, 0)
    failing = rows(db, "select chore, failures from pgqueue.sweeps where state = 'failing'")
    assert failing == [("old_claims", 1)]


def test_by_hand_nothing_is_done_while_another_one_leads(
    db: psycopg.Connection, maintain: StartMaintainer
) -> None:
    maintain().wait_for("leader.elected")
    code, printed, output = once(maintain)
    assert (code, printed) == (0, {})
    assert "another process maintains this database" in output


@pytest.mark.parametrize(
    ("role", "code"), [("consumer", 0), ("operator", 0), ("observer", 1), ("producer", 1)]
)
def test_consumers_and_operators_may_maintain(
    database: Database, maintain: StartMaintainer, role: str, code: int
) -> None:
    ended, printed, output = once(
        maintain, dsn=make_conninfo(database.conninfo, options=f"-c role=pgqueue_{role}")
    )
    assert ended == code, output
    assert {row["error"] for row in printed.values()} == ({None} if code == 0 else set())
