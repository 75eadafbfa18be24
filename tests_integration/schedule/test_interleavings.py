"""Every order of the statements of two schedulers at one slot, with a death of either after each statement.

Whatever happened: the slot is fired at most once, and once when another looks at it afterwards; slot and message are
always both there or both not.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta

import psycopg
import pytest

from tests_integration.barrier.orders import Session, Step, courses, play
from tests_integration.fixtures.clock import START, Clock
from tests_integration.fixtures.database import Database
from tests_integration.fixtures.verbs import scalar
from tests_integration.schedule.conftest import FIRE, RULE, Schedules

SLOT, NEXT = START + timedelta(minutes=5), START + timedelta(minutes=10)
DEATH = {"57P01", "lost", "25P02"}
FIRING: list[Step] = [(FIRE, ("tick", RULE, SLOT, [SLOT], NEXT, NEXT)), ("commit", ())]
PAUSING: list[Step] = [("select pgqueue.pause_schedule('tick', 'x')", ()), ("commit", ())]
CHANGING: list[Step] = [
    ("select pgqueue.set_schedule('tick', 'orders', '0 * * * *', '1')", ()),
    ("commit", ()),
]
DELETING: list[Step] = [("select pgqueue.delete_schedule('tick')", ()), ("commit", ())]


@pytest.fixture
def due(schedules: Schedules, clock: Clock) -> Schedules:
    clock.advance(301)
    return schedules


@pytest.mark.parametrize(
    "second", [FIRING, PAUSING, CHANGING, DELETING], ids=["fire", "pause", "change", "delete"]
)
def test_slot_is_fired_once_whatever_the_order_and_whoever_dies(
    due: Schedules, database: Database, second: list[Step]
) -> None:
    found = list(verdicts(due, database, (FIRING, second)))
    assert [verdict for verdict in found if not verdict.endswith(": fine")] == []
    assert len(found) >= 18


MUTANTS = {
    "no compare-and-set": [
        ("x.planned = v_rule and x.next_at = fire_schedule.slot", "true"),
        ("perform pgqueue.check_plan(s.last_slot, slot, slots, next_at, due_at, v_now);", ""),
        ("and x.look_at <= v_now", ""),
    ],
    "no lock": [("for update skip locked", "")],
}


@pytest.mark.parametrize("mutant", MUTANTS)
def test_mutant_is_caught(due: Schedules, database: Database, mutant: str) -> None:
    """The negative control."""
    plant(due.db, MUTANTS[mutant])
    assert is_caught(due, database, (FIRING, FIRING))


def test_mutant_whose_advance_is_apart_is_caught(due: Schedules, database: Database) -> None:
    plant(due.db, [("where x.name = s.name;", "where false;")])
    advance = "update pgqueue.schedule set last_slot = %s, next_at = %s, due_at = %s"
    apart = [*FIRING, (advance, (SLOT, NEXT, NEXT)), ("commit", ())]
    assert is_caught(due, database, (apart, PAUSING))


def is_caught(due: Schedules, database: Database, scripts: tuple[list[Step], list[Step]]) -> bool:
    return any(not verdict.endswith(": fine") for verdict in verdicts(due, database, scripts))


def verdicts(due: Schedules, database: Database, scripts: tuple[list[Step], list[Step]]) -> Iterator[str]:
    """Play every course of two scripts and say of each what came of it."""
    observer = database.connect()
    sessions = [Session(database.connect(autocommit=False)) for _ in scripts]
    try:
        for course in courses((len(scripts[0]), len(scripts[1]))):
            begin(due)
            play(course, scripts, sessions, observer)
            errors = {error for session in sessions for error in session.errors} - DEATH
            for n, session in enumerate(sessions):
                session.errors.clear()
                if course.dies == n:
                    session.end()
                    sessions[n] = Session(database.connect(autocommit=False))
                else:
                    session.connection.rollback()
            yield f"{course}: {judge(due) or ', '.join(sorted(errors)) or 'fine'}"
    finally:
        for session in sessions:
            session.end()


def begin(due: Schedules) -> None:
    for table in ("schedule", "r_orders"):
        due.db.execute(f"delete from pgqueue.{table}".encode())
    due.set(catch_up="all")
    # As after a plan at the start, when the slot was to come.
    due.db.execute(
        "update pgqueue.schedule set planned = cron || ' UTC', next_at = %s, due_at = %s", [SLOT, SLOT]
    )


def judge(due: Schedules) -> str:
    """Say what is wrong, then let another scheduler look and say it again; nothing is ""."""
    sent, seen = due.sent(), due.look()
    if seen is not None and sent != ([] if seen.last_slot is None else [SLOT]):
        return f"slot {seen.last_slot} but messages {sent}"
    if seen is not None and seen.state not in ("paused", "new"):
        due.fire(SLOT, NEXT)
        sent = due.sent()
        if sent != [SLOT]:
            return f"in the end {sent}"
    return "" if len(sent) <= 1 else f"doubled: {sent}"


def plant(db: psycopg.Connection, changes: Sequence[tuple[str, str]]) -> None:
    body = scalar(db, "select pg_get_functiondef(oid) from pg_proc where proname = 'fire_schedule'")
    for old, new in changes:
        assert old in body
        body = body.replace(old, new)
    db.execute(body.encode())
