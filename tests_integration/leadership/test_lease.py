"""The lease in the database: one leader at a time, by the database's clock."""

from __future__ import annotations

from datetime import timedelta
from functools import partial

import psycopg
import pytest

from tests_integration.fixtures.clock import START, Clock
from tests_integration.fixtures.database import Database
from tests_integration.fixtures.door import Door
from tests_integration.fixtures.verbs import at_once, refused, rows
from tests_integration.leadership.conftest import Leader, look


def test_one_leads_and_a_standby_is_told_for_how_long(one: Leader, two: Leader, clock: Clock) -> None:
    """U126"""
    assert one.try_lead().token is not None
    clock.advance(4)
    assert two.try_lead() == (None, timedelta(seconds=6))
    seen = look(one.db)
    assert (seen.state, seen.holder, seen.token) == ("leads", one.holder, one.token)
    assert seen.expires_at == START + timedelta(seconds=10)


def test_a_standby_writes_nothing(one: Leader, two: Leader, db: psycopg.Connection) -> None:
    """It asks for ever: a row version each time would be work for every vacuum."""
    one.try_lead("1 h")
    before = rows(db, "select ctid, xmin, xmax from pgqueue.leader")
    for _ in range(5):
        assert two.try_lead().token is None
    assert rows(db, "select ctid, xmin, xmax from pgqueue.leader") == before


def test_a_lapsed_lease_is_taken_over_with_a_higher_token(one: Leader, two: Leader, clock: Clock) -> None:
    """U126, U127"""
    old = one.try_lead().token
    clock.advance(9.99)
    assert two.try_lead().token is None
    clock.advance(0.01)
    assert look(one.db).state == "lapsed"
    assert two.try_lead().token > old
    assert one.renew() is False
    assert one.resign() is False
    seen = look(one.db)
    assert (seen.state, seen.holder) == ("leads", two.holder)


def test_of_eight_that_ask_at_once_one_leads(database: Database, clock: Clock) -> None:
    leaders = [Leader(database.connect(), f"host:{n}:cc") for n in range(8)]
    last = 0
    for _ in range(20):
        answers = at_once(*(partial(leader.try_lead) for leader in leaders))
        tokens = [answer.token for answer in answers if answer.token is not None]
        assert len(tokens) == 1
        assert tokens[0] > last
        last = tokens[0]
        clock.advance(10)


def test_a_renewed_lease_is_kept(one: Leader, two: Leader, clock: Clock) -> None:
    one.try_lead()
    for _ in range(5):
        clock.advance(9)
        assert one.renew()
        assert two.try_lead().token is None


def test_a_lapsed_lease_that_nobody_took_is_renewed(one: Leader, two: Leader, clock: Clock) -> None:
    one.try_lead()
    clock.advance(60)
    assert one.renew()
    assert two.try_lead().token is None


def test_a_lease_that_was_given_back_is_free_at_once(one: Leader, two: Leader, clock: Clock) -> None:
    old = one.try_lead().token
    assert one.resign()
    assert look(one.db).state == "free"
    assert one.resign() is False
    assert one.renew() is False
    assert two.try_lead().token > old


def test_a_holder_whose_answer_was_lost_asks_again_and_its_old_token_is_worth_nothing(
    one: Leader, clock: Clock
) -> None:
    lost = one.try_lead().token
    assert one.try_lead().token > lost
    assert one.renew(lost) is False
    assert one.renew()


def test_a_leader_that_died_before_the_clock_was_set_back_is_replaced_within_its_lease(
    one: Leader, two: Leader, clock: Clock
) -> None:
    """F61"""
    one.try_lead()
    clock.advance(-600)
    assert two.try_lead() == (None, timedelta(seconds=10))
    clock.advance(10)
    assert two.try_lead().token is not None


def test_a_leader_that_lives_outlives_a_clock_that_is_set_back(
    one: Leader, two: Leader, clock: Clock
) -> None:
    one.try_lead()
    clock.advance(-600)
    assert two.try_lead().token is None
    assert one.renew()
    clock.advance(9)
    assert two.try_lead().token is None


def test_leases_of_other_names_are_others(one: Leader, two: Leader) -> None:
    assert one.try_lead().token is not None
    assert two.try_lead(name="mine").token is not None


@pytest.mark.parametrize("holder", ["   ", None, "x" * 256, "\t"])
def test_a_blank_or_endless_holder_is_refused(one: Leader, holder: str | None) -> None:
    """U127"""
    refused("PQ002", lambda: one.try_lead(holder=holder))


@pytest.mark.parametrize("lease", ["0 s", "-1 s", "0.5 s", "25 hours", None])
def test_an_impossible_lease_is_refused(one: Leader, lease: str) -> None:
    """U128"""
    refused("PQ002", lambda: one.try_lead(lease))


def test_every_door_leads(door: Door) -> None:
    one, two = Leader(door.connect(), "host:1:aa"), Leader(door.connect(), "host:2:bb")
    one.try_lead("1 h")
    assert two.try_lead().token is None
    assert one.renew()
    assert one.begin() == "due"
    assert one.resign()
    assert two.try_lead().token is not None
