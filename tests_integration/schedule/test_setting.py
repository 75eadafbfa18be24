"""Schedules are rows: made, changed, paused and removed in SQL."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import psycopg
import pytest

from tests_integration.fixtures.clock import START, Clock
from tests_integration.fixtures.verbs import create_queue, refused, rows, scalar
from tests_integration.schedule.conftest import RULE, Schedules

FIVE = timedelta(minutes=5)


def test_same_call_again_changes_nothing(schedules: Schedules, clock: Clock) -> None:
    """B72: an app may declare its schedules at every start."""
    assert schedules.set() == "created"
    before = rows(schedules.db, "select xmin, ctid, * from pgqueue.schedule")
    assert schedules.set() == "unchanged"
    assert rows(schedules.db, "select xmin, ctid, * from pgqueue.schedule") == before
    assert schedules.set(message={"n": 2}) == "changed"
    assert schedules.look().message == {"n": 2}


def test_schedule_is_new_until_a_scheduler_has_seen_it(schedules: Schedules, clock: Clock) -> None:
    schedules.set()
    seen = schedules.look()
    assert (seen.state, seen.next_at, seen.last_slot, seen.fired) == ("new", None, None, 0)
    (due,) = schedules.due()
    assert (due.name, due.slot, due.seen_at) == ("tick", None, START)
    assert schedules.plan(START + FIVE) == "planned"
    seen = schedules.look()
    assert (seen.state, seen.next_at) == ("active", START + FIVE)
    assert (schedules.due(), schedules.sent()) == ([], [])


def test_schedule_that_nobody_fires_is_late(schedules: Schedules, clock: Clock) -> None:
    schedules.set()
    schedules.plan(START + FIVE)
    clock.advance(301)
    assert schedules.look().state == "active"
    clock.advance(60)
    assert schedules.look().state == "late"


@pytest.mark.parametrize("change", [{"cron": "0 * * * *"}, {"timezone": "Europe/Berlin"}])
def test_changed_rule_is_planned_anew_and_the_history_stays(
    schedules: Schedules, clock: Clock, change: dict[str, str]
) -> None:
    schedules.set()
    schedules.plan(START + FIVE)
    clock.advance(300)
    assert schedules.fire(START + FIVE, START + 2 * FIVE) == "fired"
    assert schedules.set(**change) == "changed"
    seen = schedules.look()
    assert (seen.state, seen.next_at, seen.last_slot, seen.fired) == ("new", None, START + FIVE, 1)
    assert schedules.fire(START + FIVE, START + 2 * FIVE) == "lost"
    assert len(schedules.sent()) == 1


@pytest.mark.parametrize("column", ["cron = '0 * * * *'", "timezone = 'Asia/Tokyo'"])
def test_rule_that_the_owner_writes_into_the_row_is_planned_anew(
    schedules: Schedules, clock: Clock, column: str
) -> None:
    schedules.set()
    schedules.plan(START + FIVE)
    schedules.db.execute(f"update pgqueue.schedule set {column}".encode())
    (due,) = schedules.due()
    assert due.slot is None
    assert schedules.plan(START + FIVE) == "lost"  # that was the old rule


def test_changed_message_keeps_the_slot(schedules: Schedules, clock: Clock) -> None:
    schedules.set()
    schedules.plan(START + FIVE)
    schedules.set(message={"n": 2}, priority=3)
    clock.advance(300)
    assert schedules.fire(START + FIVE, START + 2 * FIVE) == "fired"
    (sent,) = rows(schedules.db, "select message, priority from pgqueue.q_orders")
    assert sent == ({"n": 2}, 3)


def test_paused_schedule_fires_nothing_and_says_why(schedules: Schedules, clock: Clock) -> None:
    schedules.set()
    schedules.plan(START + FIVE)
    assert scalar(schedules.db, "select pgqueue.pause_schedule('tick', 'moving')") is True
    clock.advance(301)
    assert schedules.due() == []
    assert schedules.fire(START + FIVE, START + 2 * FIVE) == "lost"
    seen = schedules.look()
    assert (seen.state, seen.paused_by, seen.pause_reason, seen.paused_at) == (
        "paused",
        "pgqueue",
        "moving",
        START,
    )
    assert schedules.set(message={"n": 2}) == "changed"
    assert schedules.look().state == "paused"


def test_resumed_schedule_goes_on_with_what_is_to_come(schedules: Schedules, clock: Clock) -> None:
    schedules.set(catch_up="all")
    schedules.plan(START + FIVE)
    scalar(schedules.db, "select pgqueue.pause_schedule('tick', 'moving')")
    clock.advance(3600)
    assert scalar(schedules.db, "select pgqueue.resume_schedule('tick')") == "resumed"
    assert scalar(schedules.db, "select pgqueue.resume_schedule('tick')") == "active"
    (due,) = schedules.due()
    assert due.slot is None
    assert schedules.look().pause_reason is None


def test_verbs_on_a_schedule_that_is_not_there(schedules: Schedules) -> None:
    assert scalar(schedules.db, "select pgqueue.pause_schedule('tick', 'x')") is False
    assert scalar(schedules.db, "select pgqueue.resume_schedule('tick')") == "unknown"
    assert scalar(schedules.db, "select pgqueue.delete_schedule('tick')") is False
    assert scalar(schedules.db, "select pgqueue.fire_schedule_now('tick')") is None
    assert scalar(schedules.db, "select pgqueue.disable_schedule('tick', %s, 'UTC', 'x')", RULE) is False
    assert schedules.plan(START) == "lost"


def test_schedule_made_anew_begins_with_what_is_to_come(schedules: Schedules, clock: Clock) -> None:
    """B73"""
    schedules.set()
    schedules.plan(START + FIVE)
    clock.advance(3600)
    assert scalar(schedules.db, "select pgqueue.delete_schedule('tick')") is True
    schedules.set()
    assert schedules.due()[0].slot is None


def test_disabled_schedule_is_enabled_by_setting_or_resuming_it(schedules: Schedules, clock: Clock) -> None:
    def resume() -> None:
        assert scalar(schedules.db, "select pgqueue.resume_schedule('tick')") == "resumed"

    for cure in (schedules.set, resume):
        schedules.set()
        schedules.plan(START + FIVE)
        assert (
            scalar(schedules.db, "select pgqueue.disable_schedule('tick', %s, 'UTC', 'broken')", RULE) is True
        )
        assert (
            scalar(schedules.db, "select pgqueue.disable_schedule('tick', %s, 'UTC', 'again')", RULE) is False
        )
        seen = schedules.look()
        assert (seen.state, seen.error, seen.next_at, schedules.due()) == ("disabled", "broken", None, [])
        cure()
        assert (schedules.look().state, schedules.look().error) == ("new", None)


def test_rule_that_was_corrected_meanwhile_is_not_disabled(schedules: Schedules) -> None:
    schedules.set(cron="0 0 30 2 *")
    schedules.set()
    assert scalar(schedules.db, "select pgqueue.disable_schedule('tick', '0 0 30 2 *', 'UTC', 'x')") is False
    assert schedules.look().state == "new"


def test_fired_by_hand_beside_its_slots(schedules: Schedules, clock: Clock) -> None:
    schedules.set(headers={"from": "me"})
    schedules.plan(START + FIVE)
    scalar(schedules.db, "select pgqueue.pause_schedule('tick', 'x')")
    msg_id = scalar(schedules.db, "select pgqueue.fire_schedule_now('tick')")
    (sent,) = rows(schedules.db, "select msg_id, message, headers from pgqueue.q_orders")
    assert sent == (msg_id, {"n": 1}, {"from": "me", "pgqueue-schedule": {"schedule": "tick"}})
    assert schedules.look().last_slot is None


BAD: list[dict[str, Any]] = [
    {"name": None}, {"name": ""}, {"name": "x" * 256}, {"name": "a\nb"},
    {"cron": None}, {"cron": ""}, {"cron": "* * * *"}, {"cron": "* * * * * *"}, {"cron": "* * * * ;"}, {"cron": "@daily"},
    {"cron": "1," * 200 + "1 * * * *"},
    {"timezone": None}, {"timezone": ""}, {"timezone": "CET"}, {"timezone": "EST5EDT"}, {"timezone": "../etc/passwd"},
    {"timezone": "A/" + "x" * 99},
    {"catch_up": None}, {"catch_up": "some"}, {"catch_up_most": 0}, {"catch_up_most": 1001}, {"catch_up_most": None},
    {"jitter": "-1 s"}, {"jitter": "2 h"}, {"jitter": None}, {"jitter": "infinity"},
    {"priority": 10}, {"priority": None}, {"group_key": ""}, {"headers": {"pgqueue-receipt": 1}}, {"headers": [1]},
    {"headers": {str(n): n for n in range(64)}},
]  # fmt: skip


@pytest.mark.parametrize("bad", BAD, ids=lambda bad: str(bad)[:40])
def test_bad_arguments_are_refused(schedules: Schedules, bad: dict[str, Any]) -> None:
    """B68, B71"""
    assert refused("PQ002", lambda: schedules.set(**bad)).diag.message_hint
    assert scalar(schedules.db, "select count(*) from pgqueue.schedule") == 0


def test_what_could_not_be_sent_is_refused_when_it_is_set(schedules: Schedules) -> None:
    """B72"""
    create_queue(schedules.db, "narrow", "log", payload_limit=100)
    refused("PQ001", lambda: schedules.set(queue="nowhere"))
    refused("PQ003", lambda: schedules.set(queue="narrow", message={"x": "y" * 200}))
    refused("PQ003", lambda: schedules.set(message=None))
    refused("PQ008", lambda: schedules.set(queue="narrow", group_key="g"))


def test_there_may_be_so_many_and_no_more(schedules: Schedules, db: psycopg.Connection) -> None:
    """B72"""
    db.execute(
        "insert into pgqueue.schedule (name, queue, cron, timezone, message, created_at, changed_at)"
        " select 's' || n, 'orders', '0 0 1 1 *', 'UTC', '1', 'epoch', 'epoch' from generate_series(1, 10000) n"
    )
    refused("PQ002", schedules.set)
    assert schedules.set("s7") == "changed"


@pytest.mark.parametrize("qty", [None, 0, 1001])
def test_bad_qty_is_refused(schedules: Schedules, qty: int | None) -> None:
    refused("PQ002", lambda: scalar(schedules.db, "select pgqueue.due_schedules(%s)", qty))


def test_asking_what_is_due_does_not_look_at_every_schedule(
    schedules: Schedules, db: psycopg.Connection, clock: Clock
) -> None:
    db.execute(
        "insert into pgqueue.schedule (name, queue, cron, timezone, message, created_at, changed_at, planned, next_at, due_at)"
        " select 's' || n, 'orders', '0 0 1 1 *', 'UTC', '1', 'epoch', 'epoch', '0 0 1 1 * UTC', '2031-01-01', '2031-01-01'"
        " from generate_series(1, 5000) n"
    )
    db.execute("vacuum analyze pgqueue.schedule")
    before = scalar(db, "select seq_scan from pg_stat_user_tables where relname = 'schedule'")
    assert schedules.due() == []
    db.execute("select pg_stat_force_next_flush()")
    assert scalar(db, "select seq_scan from pg_stat_user_tables where relname = 'schedule'") == before


SLOT, NEXT = START + FIVE, START + 2 * FIVE
BAD_PLANS: list[dict[str, Any]] = [
    {"next_at": SLOT},
    {"next_at": SLOT - FIVE},
    {"next_at": None},
    {"slots": [SLOT, SLOT]},
    {"slots": [SLOT - FIVE]},
    {"slots": [None]},
    {"slots": [NEXT], "next_at": NEXT + FIVE},  # it is to come
    {"slots": [SLOT], "next_at": NEXT, "last": SLOT},
]


@pytest.mark.parametrize("bad", BAD_PLANS, ids=str)
def test_plan_that_does_not_go_forward_is_refused(
    schedules: Schedules, clock: Clock, bad: dict[str, Any]
) -> None:
    """Whatever another process's clock, zone files or library say, no slot is fired twice."""
    schedules.set(catch_up="all")
    schedules.plan(SLOT)
    clock.advance(301)
    if last := bad.pop("last", None):
        schedules.db.execute("update pgqueue.schedule set last_slot = %s", [last])
    refused("PQ002", lambda: schedules.fire(**({"slot": SLOT, "next_at": NEXT} | bad)))
    assert schedules.sent() == []
