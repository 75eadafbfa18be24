"""Each slot of a schedule is one message, and which slots there are the checker reckons itself."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pytest

from tests.torture.verdict.chronicle import HASH, QUEUE
from tests.torture.verdict.fanned import A, Fanned
from tests_integration.torture.verdict.checks.slots import MINUTE_US, Rule

BASE = 1_743_292_800_000_000  # 2025-03-30 00:00 UTC
LATE = 61


class Timed(Fanned):
    """A schedule of every minute; instants are minutes after BASE, and its clock is no faster than the database's."""

    def __init__(self, catch_up: str = "all") -> None:
        super().__init__()
        rule = {"cron": "* * * * *", "timezone": "UTC", "catch_up": catch_up, "queue": QUEUE, "hash": HASH}
        self.config["timetable"] = {
            "speed": 1, "schedules": {"s": rule},
        }  # fmt: skip
        self._messages = 500
        self.stopped_at = 0.0

    def plan(self, following: float, now: float | None = None) -> None:
        fast = following - 1 if now is None else now
        self._event("plan", schedule="s", next=self._at(following), fast=self._at(fast))

    def slot(self, *minutes: float, handled: bool = True) -> None:
        """Send the messages of these slots, and handle them."""
        for minute in minutes:
            self._messages += 1
            self._event("slot", schedule="s", slot=self._at(minute), queue=QUEUE, msg_id=self._messages)
            if handled:
                self.claim(A, self._messages, self._messages * 10, digest=HASH)
                self.lines[A][-1]["got"][0][6] = None
                run = self.run(A, self._messages, self._messages * 10, digest=HASH)
                run["uid"] = None
                self.ack(A, self._messages, self._messages * 10)

    def found(self, folder: Path) -> dict[str, int]:
        self._event("stop", fast=self._at(self.stopped_at))
        return self.finish().judged(folder).violations

    @staticmethod
    def _at(minute: float) -> int:
        return BASE + round(minute * MINUTE_US)


def test_every_slot_once(tmp_path: Path) -> None:
    run = Timed()
    run.plan(1)
    run.slot(1)
    run.plan(2)
    run.slot(2, 3, 4)
    run.plan(5)
    assert run.found(tmp_path) == {}


@pytest.mark.parametrize(
    ("catch_up", "sent", "now", "fits"),
    [
        ("all", (1, 2, 3), 3.5, True),
        ("all", (1, 3), 3.5, False),
        ("all", (3,), 3.5, False),
        ("all", (), 3.5, False),
        ("latest", (3,), 3.5, True),
        ("latest", (2,), 3.5, False),
        ("latest", (2, 3), 3.5, False),
        ("latest", (), 3.5, False),
        ("skip", (3,), 3.5, True),
        ("skip", (1,), 3.5, False),
        ("skip", (), 4.5, True),
        ("skip", (), 3.5, False),
        ("all", (1, 2, 3), 2.5, False),
    ],
)
def test_the_policy_says_which_slots_are_fired(
    tmp_path: Path, catch_up: str, sent: tuple[int, ...], now: float, fits: bool
) -> None:
    run = Timed(catch_up)
    run.plan(1)
    run.slot(*sent)
    run.plan(4, now)
    assert run.found(tmp_path) == ({} if fits else {"slots": 1})


def test_a_slot_that_was_fired_twice(tmp_path: Path) -> None:
    run = Timed()
    run.plan(1)
    run.slot(1, 1)
    run.plan(2)
    assert run.found(tmp_path) == {"slots": 1}


def test_a_slot_whose_message_was_lost(tmp_path: Path) -> None:
    run = Timed()
    run.plan(1)
    run.slot(1, handled=False)
    run.plan(2)
    assert run.found(tmp_path) == {"lost": 1}


@pytest.mark.parametrize("minute", [0, 2, 1.5])
def test_a_slot_that_no_plan_has(tmp_path: Path, minute: float) -> None:
    run = Timed()
    run.plan(1)
    run.slot(minute)
    run.slot(1)
    run.plan(2)
    assert run.found(tmp_path) == {"slots": 1}


def test_a_schedule_that_goes_on_to_what_is_no_slot(tmp_path: Path) -> None:
    run = Timed()
    run.plan(1.5)
    assert run.found(tmp_path) == {"slots": 1}


def test_a_schedule_that_is_never_planned_or_left_behind(tmp_path: Path) -> None:
    run = Timed()
    assert run.found(tmp_path) == {"slots": 1}
    run = Timed()
    run.plan(1)
    run.stopped_at = 1.1
    assert run.found(tmp_path) == {"slots": 1}


def test_slots_follow_the_minutes_of_their_zone() -> None:
    def at(text: str) -> int:
        return round(datetime.fromisoformat(text).timestamp() * 1e6)

    rule = Rule("*/20 * * * *", "Asia/Kathmandu")  # UTC+5:45
    begin, until = at("2025-03-30T00:00+00:00"), at("2025-03-30T01:00+00:00")
    assert rule.slots(begin, until) == [at(f"2025-03-30T00:{minute}+00:00") for minute in ("15", "35", "55")]
    rule = Rule("7,31 * * * *", "Europe/Berlin")
    assert len(rule.slots(begin, until + 60 * MINUTE_US)) == 4
    with pytest.raises(ValueError, match="more than minutes"):
        Rule("0 3 * * *", "UTC").slots(begin, until)
