"""What a scheduler decides, from values alone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from pgqueue.errors import InvalidInput
from pgqueue.message import calls as message_calls
from pgqueue.schedule import rules
from pgqueue.schedule.cron import parse
from pgqueue.schedule.model import DueSchedule, Options, Plan, Slot

NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
NOTHING = timedelta(0)


def due(**given: Any) -> DueSchedule:
    """A schedule that is due at noon: every five minutes, its slot was noon."""
    known: dict[str, Any] = {"name": "tick", "queue": "orders", "cron": "*/5 * * * *", "timezone": "UTC", "catch_up": "latest",
             "catch_up_most": 100, "jitter": NOTHING, "last_slot": None, "slot": NOON, "seen_at": NOON}  # fmt: skip
    return DueSchedule(**(known | given))


def planned(**given: Any) -> Plan:
    asked = due(**given)
    return rules.plan(parse(asked.cron, asked.timezone), asked)


def test_slot_that_has_come_is_fired_and_the_next_one_planned() -> None:
    assert planned() == Plan((NOON,), NOON + 5 * MINUTE, NOON + 5 * MINUTE)
    assert planned(seen_at=NOON + 4 * MINUTE).slots == (NOON,)


def test_rule_seen_for_the_first_time_fires_nothing() -> None:
    """U138"""
    assert planned(slot=None) == Plan((), NOON + 5 * MINUTE, NOON + 5 * MINUTE)
    assert planned(slot=None, seen_at=NOON + 6 * MINUTE).next_at == NOON + 10 * MINUTE


def test_new_rule_begins_after_every_slot_that_was_fired_whatever_the_clock_says() -> None:
    """F61"""
    assert planned(slot=None, last_slot=NOON + 60 * MINUTE).next_at == NOON + 65 * MINUTE
    assert planned(slot=None, last_slot=NOON - 60 * MINUTE).next_at == NOON + 5 * MINUTE


def test_missed_slots_collapse_into_the_latest() -> None:
    """F62, U138"""
    plan = planned(seen_at=NOON + 62 * MINUTE)
    assert plan == Plan((NOON + 60 * MINUTE,), NOON + 65 * MINUTE, NOON + 65 * MINUTE)


def test_all_missed_slots_are_fired_oldest_first() -> None:
    plan = planned(catch_up="all", seen_at=NOON + 17 * MINUTE)
    assert plan.slots == tuple(NOON + n * MINUTE for n in (0, 5, 10, 15))
    assert plan.next_at == NOON + 20 * MINUTE


def test_of_too_many_missed_slots_the_newest_are_fired() -> None:
    plan = planned(catch_up="all", catch_up_most=2, seen_at=NOON + 17 * MINUTE)
    assert plan.slots == (NOON + 10 * MINUTE, NOON + 15 * MINUTE)


@pytest.mark.parametrize(
    ("seconds", "fired"),
    [(0, [0]), (60, [0]), (60.5, []), (299, []), (300, [5]), (330, [5]), (420, [])],
)
def test_skip_fires_within_a_minute_or_not_at_all(seconds: float, fired: list[int]) -> None:
    plan = planned(catch_up="skip", seen_at=NOON + timedelta(seconds=seconds))
    assert plan.slots == tuple(NOON + n * MINUTE for n in fired)
    assert plan.next_at == NOON + (5 if seconds < 300 else 10) * MINUTE


def test_slot_that_the_database_calls_due_is_fired_though_the_zone_files_say_otherwise() -> None:
    """F60: planned by other zone files, it is a slot all the same; the next one is by ours."""
    plan = planned(slot=NOON + 2 * MINUTE, seen_at=NOON + 3 * MINUTE)
    assert plan == Plan((NOON + 2 * MINUTE,), NOON + 5 * MINUTE, NOON + 5 * MINUTE)


def test_jitter_is_the_same_for_the_same_slot_and_differs_between_slots() -> None:
    jitter = timedelta(minutes=4)
    delays = [rules.delay_of("tick", NOON + n * MINUTE, jitter) for n in range(200)]
    assert delays == [rules.delay_of("tick", NOON + n * MINUTE, jitter) for n in range(200)]
    assert len(set(delays)) == 200
    assert NOTHING <= min(delays) < timedelta(seconds=20)
    assert timedelta(seconds=220) < max(delays) < jitter
    assert rules.delay_of("tick", NOON, jitter) != rules.delay_of("tock", NOON, jitter)
    assert rules.delay_of("tick", NOON, NOTHING) == NOTHING


def test_next_slot_is_due_with_its_jitter() -> None:
    jitter = timedelta(minutes=4)
    plan = planned(jitter=jitter)
    assert plan.due_at - plan.next_at == rules.delay_of("tick", plan.next_at, jitter)


def test_slot_whose_jitter_is_not_over_waits() -> None:
    jitter = timedelta(minutes=4)
    slot = NOON + 5 * MINUTE
    delay = rules.delay_of("tick", slot, jitter)
    before = planned(jitter=jitter, catch_up="all", seen_at=slot + delay - timedelta(seconds=1))
    assert (before.slots, before.next_at, before.due_at) == ((NOON,), slot, slot + delay)
    after = planned(jitter=jitter, catch_up="all", seen_at=slot + delay)
    assert after.slots == (NOON, slot)


def test_jitter_of_a_row_that_is_longer_than_the_gap_still_goes_forward() -> None:
    """Such a one is refused where it is set; a row can be written by its owner."""
    for n in range(60):
        plan = planned(cron="* * * * *", jitter=timedelta(hours=1), catch_up="all", seen_at=NOON + n * MINUTE)
        assert plan.slots[0] == NOON
        assert plan.next_at > plan.slots[-1]
        assert list(plan.slots) == sorted(set(plan.slots))


@pytest.mark.parametrize(
    ("header", "slot"),
    [
        ({"schedule": "a", "slot": "2030-01-01T12:00:00Z"}, Slot("a", NOON)),
        ({"schedule": "a"}, Slot("a", None)),
        ({"schedule": "a", "slot": "noon"}, None),
        ({"schedule": "a", "slot": 7}, None),
        ({"schedule": "a", "slot": "0001-01-01T00:00:00+23:00"}, None),
        ({"schedule": "a", "slot": "2030-01-01T12:00:00"}, None),
        ({"schedule": 7, "slot": "2030-01-01T12:00:00Z"}, None),
        ("x", None),
        (None, None),
    ],
)
def test_slot_of_a_message(header: object, slot: Slot | None) -> None:
    assert rules.slot_of({"pgqueue-schedule": header, "else": 1}) == slot


@pytest.mark.parametrize("headers", [None, {}, [], "x", 7])
def test_message_of_no_schedule_has_no_slot(headers: object) -> None:
    assert rules.slot_of(headers) is None


@pytest.mark.parametrize(
    "options",
    [
        Options(catch_up="some"),
        Options(catch_up_most=0),
        Options(catch_up_most=1001),
        Options(catch_up_most=True),
        Options(jitter=-1),
        Options(jitter=float("nan")),
        Options(jitter=3601),
        Options(jitter="60"),  # type: ignore[arg-type]
        Options(jitter=60),  # two slots are 60 s apart
        Options(timezone="CET"),
    ],
)
def test_bad_options_are_refused(options: Options) -> None:
    with pytest.raises(InvalidInput):
        rules.check_options("* * * * *", options)


def test_jitter_up_to_the_next_slot_is_taken() -> None:
    _, jitter = rules.check_options("*/5 * * * *", Options(jitter=timedelta(minutes=4)))
    assert jitter == 240.0


@pytest.mark.parametrize("name", ["", "x" * 256, None, "a\nb", "a\0b", 7])
def test_bad_name_is_refused(name: Any) -> None:
    with pytest.raises(InvalidInput, match="name"):
        rules.check_schedule_name(name)


def test_what_is_no_plain_send_is_refused() -> None:
    for sending in (
        {"task": "x"},
        message_calls.read("orders"),
        message_calls.send("orders", 1, delay=5),
        message_calls.send("orders", 1, key="k"),
    ):
        with pytest.raises(InvalidInput) as caught:
            rules.message_of(sending)
        assert caught.value.fields["argument"] == "sending"
