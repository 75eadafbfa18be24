"""Whose turn a chore is, and what is said of its runs."""

from __future__ import annotations

from datetime import timedelta
from functools import partial

import psycopg
import pytest

from tests_integration.fixtures.clock import START, Clock
from tests_integration.fixtures.database import Database
from tests_integration.fixtures.verbs import at_once, refused
from tests_integration.leadership.conftest import Leader, sweep


@pytest.fixture
def one(db: psycopg.Connection, clock: Clock) -> Leader:
    return Leader(db, "host:1:aa")


@pytest.fixture
def two(database: Database) -> Leader:
    return Leader(database.connect(), "host:2:bb")


def test_a_chore_is_due_at_once_and_then_after_its_period(one: Leader, clock: Clock) -> None:
    one.try_lead("1 h")
    assert one.begin() == "due"
    assert one.begin() == "later"
    clock.advance(59.9)
    assert one.begin() == "later"
    clock.advance(0.1)
    assert one.begin() == "due"


def test_the_next_turn_is_planned_before_the_attempt(one: Leader) -> None:
    """U134: a chore that kills its process must not be tried by one process after the other without a pause."""
    one.try_lead("1 h")
    one.begin()
    assert sweep(one.db).next_at == START + timedelta(seconds=60)
    assert sweep(one.db).runs == 0


def test_who_leads_no_more_begins_nothing(one: Leader, two: Leader, clock: Clock) -> None:
    """U139: the fence between renewals."""
    one.try_lead()
    one.begin()
    clock.advance(10)
    assert one.begin("other") == "lost"
    two.try_lead()
    assert one.begin("other") == "lost"
    assert two.begin("other") == "due"


def test_two_leaders_that_take_turns_do_no_work_twice(one: Leader, two: Leader, clock: Clock) -> None:
    """U139: the first is stopped in its run; the second one finds it begun."""
    one.try_lead()
    assert one.begin() == "due"
    clock.advance(10)
    two.try_lead()
    assert two.begin() == "later"
    clock.advance(50)
    two.renew()
    assert two.begin() == "due"
    two.end(3)
    one.end(4)  # it goes on, and reports
    seen = sweep(one.db)
    assert (seen.holder, seen.last_moved, seen.total, seen.runs) == (two.holder, 3, 7, 2)


def test_of_eight_that_begin_at_once_with_one_lease_one_runs(database: Database, one: Leader) -> None:
    token = one.try_lead("1 h").token
    sessions = [Leader(database.connect(), one.holder) for _ in range(8)]
    for session in sessions:
        session.token = token
    for n in range(20):
        answers = at_once(*(partial(session.begin, f"sweep_{chr(97 + n)}") for session in sessions))
        assert sorted(answers) == ["due"] + ["later"] * 7


def test_a_report_names_what_was_moved_and_when(one: Leader, clock: Clock) -> None:
    one.try_lead("1 h")
    one.begin()
    clock.advance(2)
    one.end(5)
    clock.advance(60)
    one.begin()
    one.end(6)
    seen = sweep(one.db)
    assert (seen.chore, seen.state, seen.holder) == ("sweep", "ok", one.holder)
    assert (seen.last_moved, seen.total, seen.runs, seen.failures) == (6, 11, 2, 0)
    assert seen.last_run_at == START + timedelta(seconds=62)


def test_failures_in_a_row_are_counted_until_a_run_works(one: Leader, clock: Clock) -> None:
    one.try_lead("24 h")
    for n in range(3):
        one.begin()
        one.end(n, f"no {n}")
        clock.advance(60)
    seen = sweep(one.db)
    assert (seen.state, seen.failures, seen.last_error, seen.total) == ("failing", 3, "no 2", 3)
    one.begin()
    one.end(1)
    seen = sweep(one.db)
    assert (seen.state, seen.failures, seen.last_error) == ("ok", 0, "no 2")
    assert seen.last_failed_at == START + timedelta(seconds=120)


def test_an_error_is_cleaned_and_bounded(one: Leader) -> None:
    one.try_lead()
    one.begin()
    one.end(0, "bell\x07" + "x" * 9000)
    assert sweep(one.db).last_error == "bell" + "x" * 996


def test_a_run_that_stopped_at_its_bound_is_due_again_at_once(one: Leader) -> None:
    one.try_lead()
    one.begin()
    one.end(1000, more=True)
    assert one.begin() == "due"


def test_a_chore_planned_before_the_clock_was_set_back_is_due(one: Leader, clock: Clock) -> None:
    """F61"""
    one.try_lead()
    one.begin()
    clock.advance(-3600)
    one.renew()
    assert one.begin() == "due"
    assert one.begin() == "later"


def test_a_shorter_period_holds_at_once(one: Leader) -> None:
    one.try_lead()
    one.begin(every="1 day")
    assert one.begin(every="10 s") == "due"


def test_chores_that_nobody_does_are_late(one: Leader, clock: Clock) -> None:
    one.try_lead()
    one.begin()
    one.end(0)
    clock.advance(179)
    assert sweep(one.db).state == "ok"
    clock.advance(1)
    assert sweep(one.db).state == "late"


@pytest.mark.parametrize(
    ("chore", "every"),
    [("Sweep", "1 s"), ("", "1 s"), (None, "1 s"), ("s", "0 s"), ("s", "-1 s"), ("s", "2 days"), ("s", None)],
)
def test_an_impossible_chore_is_refused(one: Leader, chore: str, every: str) -> None:
    one.try_lead()
    refused("PQ002", lambda: one.begin(chore, every))
