"""Rules and their slots: what is refused, and what happens on the days on which clocks change."""

from __future__ import annotations

import builtins
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from pgqueue.errors import ConfigurationError, InvalidInput
from pgqueue.schedule import cron
from pgqueue.schedule.cron import Rule, newest_slots, next_slot, next_slots, parse

MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
PAD = timedelta(hours=25)  # so much is skipped at once at most: Apia's day


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def between(rule: Rule, start: datetime, end: datetime) -> list[datetime]:
    """All slots in (start, end]."""
    found: list[datetime] = []
    while (slot := next_slot(rule, found[-1] if found else start)) <= end:
        found.append(slot)
    return found


REFUSED = {
    "": "0 fields",
    "* * * *": "4 fields",
    "* * * * * *": "6 fields",
    "0 0 0 1 1 ? 2030": "7 fields",
    "@reboot": "unknown",
    "@every 5s": "unknown",
    "*/0 * * * *": "minute of the .*step '0'",
    "*/90 * * * *": "minute of the .*step '90'",
    "60 * * * *": "minute of the .*has 60, outside of 0 .. 59",
    "* 24 * * *": "hour of the .*has 24",
    "* * 0 * *": "day of month of the .*has 0",
    "* * * 13 *": "month of the .*has 13",
    "* * * * 8": "day of week of the .*has 8",
    "5-1 * * * *": "'5-1' runs backwards",
    "0-99999999 * * * *": "has 99999999",
    f"0-{'9' * 200} * * * *": "outside of 0 .. 59",
    f"{'1,' * 200}1 * * * *": "at most 255",
    "1,,2 * * * *": "'' can't be read",
    "-5 * * * *": "minute",
    "1.5 * * * *": "'1.5' can't be read",
    "? * * * *": "can't be read",
    "H * * * *": "can't be read",
    "\u0661 * * * *": "can't be read",
    "* * 15W * *": "can't be read",
    "* * * * MON#6": "can't be read",
    "* * * * FRI-MON": "can't be read",
    "* * * * LUN": "can't be read",
    "*/5/2 * * * *": "step",
    "0 0 30 2 *": "never fires",
    "0 0 31 4 *": "never fires",
    "0 0 31 2,4,6,9,11 *": "never fires",
    "0 0 */30 * MON#2": "never fires",
}


@pytest.mark.parametrize(("text", "said"), REFUSED.items())
def test_bad_rule_is_refused_with_its_field_and_term(text: str, said: str) -> None:
    """B68, B69"""
    with pytest.raises(InvalidInput, match=said) as caught:
        parse(text)
    assert caught.value.fields["argument"] == "cron"


ACCEPTED = {
    "@hourly": ["2030-01-01T01:00", "2030-01-01T02:00"],
    "@daily": ["2030-01-02T00:00", "2030-01-03T00:00"],
    "@weekly": ["2030-01-06T00:00", "2030-01-13T00:00"],
    "@monthly": ["2030-02-01T00:00", "2030-03-01T00:00"],
    "@YEARLY": ["2031-01-01T00:00", "2032-01-01T00:00"],
    "  5   4 * * * ": ["2030-01-01T04:05", "2030-01-02T04:05"],
    "0 9 * * MON-WED": ["2030-01-01T09:00", "2030-01-02T09:00", "2030-01-07T09:00"],
    "0 9 * * sun": ["2030-01-06T09:00"],
    "0 9 * * 7": ["2030-01-06T09:00"],
    "1/20 0 * * *": ["2030-01-01T00:01", "2030-01-01T00:21", "2030-01-01T00:41"],
    "0 0 L * *": ["2030-01-31T00:00", "2030-02-28T00:00"],
    "0 0 * * 5L": ["2030-01-25T00:00", "2030-02-22T00:00"],
    "0 0 * * MON#1": ["2030-01-07T00:00", "2030-02-04T00:00"],
    "0 0 29 2 *": ["2032-02-29T00:00", "2036-02-29T00:00"],
    # day of month or day of week, when both are given
    "0 0 13 * FRI": ["2030-01-04T00:00", "2030-01-11T00:00", "2030-01-13T00:00"],
    "0 0 30 2 MON": ["2030-02-04T00:00", "2030-02-11T00:00"],
}


@pytest.mark.parametrize(("text", "slots"), ACCEPTED.items())
def test_slots_of_a_rule(text: str, slots: list[str]) -> None:
    start = utc("2030-01-01T00:00:00") if "/20" not in text else utc("2029-12-31T23:59:00")
    assert next_slots(parse(text), start, len(slots)) == [utc(slot) for slot in slots]


@pytest.mark.parametrize("text", [t for t in ACCEPTED if not t.startswith("@")])
def test_every_rule_can_be_said_in_words(text: str) -> None:
    assert cron.in_words(parse(text, "Europe/Berlin")).count("Europe/Berlin") == 1


def test_either_day_is_said() -> None:
    """B70"""
    assert "either is enough" in cron.in_words(parse("0 0 13 * FRI"))
    assert "either" not in cron.in_words(parse("0 0 * * FRI"))
    assert "either" not in cron.in_words(parse("0 0 */2 * FRI"))


BAD_ZONES = ["", "EST5EDT", "CET", "EST", "GMT", "utc", "Z", "+02:00", "Europe", "Mars/Olympus", "America/Indiana",
             "../../etc/passwd", "/etc/passwd", "Europe/../Berlin", "Europe/Berlin\0",
             "x" * 65, "posix/Europe/Berlin"]  # fmt: skip


@pytest.mark.parametrize("zone", BAD_ZONES)
def test_bad_time_zone_is_refused(zone: str) -> None:
    """B71"""
    with pytest.raises(InvalidInput, match="time zone") as caught:
        parse("0 0 * * *", zone)
    assert caught.value.fields["argument"] == "timezone"


def test_slot_is_strictly_after() -> None:
    """U138"""
    rule = parse("*/5 * * * *")
    assert next_slot(rule, utc("2030-01-01T00:05:00")) == utc("2030-01-01T00:10:00")
    assert next_slot(rule, utc("2030-01-01T00:04:59.999999")) == utc("2030-01-01T00:05:00")
    assert next_slot(rule, utc("2030-01-01T00:05:00.000001")) == utc("2030-01-01T00:10:00")


# zone, rule: the slots (UTC) of two days around a change of the clock
CHANGES = [
    # 02:00 -> 03:00 on 31 March 2030; 03:00 -> 02:00 on 27 October 2030
    ("Europe/Berlin", "30 2 * * *", "2030-03-30T12:00", ["2030-03-31T01:00", "2030-04-01T00:30"]),
    ("Europe/Berlin", "0,30 2 * * *", "2030-03-30T12:00", ["2030-03-31T01:00", "2030-04-01T00:00", "2030-04-01T00:30"]),
    ("Europe/Berlin", "30 2 * * *", "2030-10-26T12:00", ["2030-10-27T00:30", "2030-10-28T01:30"]),
    ("Europe/Berlin", "0 * * * *", "2030-03-30T23:00", ["2030-03-31T00:00", "2030-03-31T01:00", "2030-03-31T02:00"]),
    ("Europe/Berlin", "0 * * * *", "2030-10-26T23:00", ["2030-10-27T00:00", "2030-10-27T01:00", "2030-10-27T02:00"]),
    ("Europe/Berlin", "*/30 2 * * *", "2030-03-30T12:00", ["2030-04-01T00:00", "2030-04-01T00:30"]),
    ("Europe/Berlin", "*/30 2 * * *", "2030-10-26T12:00",
     ["2030-10-27T00:00", "2030-10-27T00:30", "2030-10-27T01:00", "2030-10-27T01:30", "2030-10-28T01:00"]),
    ("America/New_York", "30 1 * * *", "2030-11-02T12:00", ["2030-11-03T05:30", "2030-11-04T06:30"]),
    ("America/New_York", "15 2 * * *", "2030-03-09T12:00", ["2030-03-10T07:00", "2030-03-11T06:15"]),
    # half an hour: 02:00 -> 02:30 on 6 October 2030; 02:00 -> 01:30 on 7 April 2030
    ("Australia/Lord_Howe", "15 2 * * *", "2030-10-05T12:00", ["2030-10-05T15:30", "2030-10-06T15:15"]),
    ("Australia/Lord_Howe", "45 1 * * *", "2030-04-06T12:00", ["2030-04-06T14:45", "2030-04-07T15:15"]),
    ("Australia/Lord_Howe", "30 * * * *", "2030-10-05T14:30", ["2030-10-05T15:00", "2030-10-05T15:30", "2030-10-05T16:30"]),
    ("Australia/Lord_Howe", "45 * * * *", "2030-04-06T14:00", ["2030-04-06T14:45", "2030-04-06T15:15", "2030-04-06T16:15"]),
    ("Australia/Lord_Howe", "*/10 3 * * *", "2030-10-05T12:00", ["2030-10-05T16:00", "2030-10-05T16:10", "2030-10-05T16:20"]),
    # at midnight: 00:00 -> 01:00 on 26 April 2030
    ("Africa/Cairo", "15 0 * * *", "2030-04-25T12:00", ["2030-04-25T22:00", "2030-04-26T21:15"]),
    ("Africa/Cairo", "*/30 0 * * *", "2030-04-25T12:00", ["2030-04-26T21:00", "2030-04-26T21:30"]),
    # a whole day was skipped: 30 December 2011
    ("Pacific/Apia", "0 12 30 * *", "2011-12-01T00:00", ["2011-12-30T10:00", "2012-01-29T22:00"]),
]  # fmt: skip


@pytest.mark.parametrize(("zone", "text", "start", "slots"), CHANGES)
def test_slots_where_clocks_change(zone: str, text: str, start: str, slots: list[str]) -> None:
    """F60: a time of day that is skipped fires once, at the change; one that is repeated fires once, the first time.

    What counts real time fires whenever the wall clock shows it.
    """
    assert next_slots(parse(text, zone), utc(start), len(slots)) == [utc(slot) for slot in slots]


ZONES = ("Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Africa/Cairo", "Asia/Beirut", "America/St_Johns",
         "Africa/Casablanca", "Pacific/Apia", "America/Sao_Paulo", "Asia/Tehran")  # fmt: skip
RULES = ("*/20 * * * *", "30 * * * *", "*/30 2 * * *", "*/15 0 * * *", "7 */3 * * *", "*/30 1-4 * * SUN", "30 2 * * *",
         "0,45 0-3 * * *", "10 1 * * FRI,SAT,SUN")  # fmt: skip


def changes(zone: ZoneInfo, first: int, last: int) -> Iterator[datetime]:
    """Yield a day before each change of the zone's offset."""
    day, end = datetime(first, 1, 1, tzinfo=UTC), datetime(last, 1, 1, tzinfo=UTC)
    while day < end:
        if day.astimezone(zone).utcoffset() != (day + DAY).astimezone(zone).utcoffset():
            yield day - DAY
        day += DAY


def by_hand(text: str, zone: ZoneInfo, start: datetime, end: datetime) -> list[datetime]:
    """Find the slots without any library: minute by minute, of real time or of the wall clock."""
    minute, hour, *_, weekday = text.split()

    def fits(field: str, value: int) -> bool:
        span, _, step = field.partition("/")
        names = {"SUN": 0, "FRI": 5, "SAT": 6}
        for part in span.split(","):
            low, _, high = part.partition("-")
            if part == "*" or int(names.get(low, low)) <= value <= int(
                names.get(high, high) or names.get(low, low)
            ):
                return value % int(step or 1) == 0
        return False

    def shows(local: datetime) -> bool:
        return fits(minute, local.minute) and fits(hour, local.hour) and fits(weekday, local.isoweekday() % 7)

    if text.startswith("*") or text.split()[1].startswith("*"):
        steps = [start + n * MINUTE for n in range(1, (end - start) // MINUTE + 1)]
        return [at for at in steps if shows(at.astimezone(zone))]
    found = set()
    wall = (start - PAD).astimezone(zone).replace(tzinfo=None)
    for n in range((end - start + 2 * PAD) // MINUTE):
        local = wall + n * MINUTE
        if shows(local):
            while (real := local.replace(tzinfo=zone)).astimezone(UTC).astimezone(zone).replace(
                tzinfo=None
            ) != local:
                local += MINUTE
            found.add(real.astimezone(UTC))
    return sorted(at for at in found if start < at <= end)


@pytest.mark.parametrize("zone", ZONES)
def test_slots_of_thirty_years_of_changes_are_those_found_by_hand(zone: str) -> None:
    """F60"""
    seen = 0
    for n, before in enumerate(changes(ZoneInfo(zone), 2008, 2038)):
        text = RULES[n % len(RULES)]
        start = before + DAY / 2
        end = start + 2 * DAY
        assert between(parse(text, zone), start, end) == by_hand(text, ZoneInfo(zone), start, end), (
            text,
            start,
        )
        seen += 1
    assert seen >= 5


@pytest.mark.parametrize("text", RULES)
@pytest.mark.parametrize("zone", ["Australia/Lord_Howe", "Africa/Cairo", "Europe/Berlin"])
def test_every_rule_at_one_year_of_changes(zone: str, text: str) -> None:
    for start in changes(ZoneInfo(zone), 2030, 2031):
        end = start + 3 * DAY
        assert between(parse(text, zone), start, end) == by_hand(text, ZoneInfo(zone), start, end)


def test_slots_do_not_depend_on_where_one_begins() -> None:
    """Whoever is asked inside of a repeated or skipped hour goes on with the same slots."""
    for text in RULES:
        rule = parse(text, "Europe/Berlin")
        for day in (utc("2030-03-30T20:00"), utc("2030-10-26T20:00")):
            whole = between(rule, day, day + DAY)
            for n in range(0, 720, 37):
                start = day + n * MINUTE
                assert between(rule, start, day + DAY) == [slot for slot in whole if slot > start]


@pytest.mark.parametrize("text", ["*/7 * * * *", "0 3 * * MON", "* * * 1 *", "0 0 29 2 *"])
@pytest.mark.parametrize("most", [1, 5])
def test_newest_slots_are_found_without_walking_all(text: str, most: int) -> None:
    rule, until = parse(text, "Europe/Berlin"), utc("2030-03-31T12:00:30")
    for back in (timedelta(minutes=3), DAY, 70 * DAY):
        assert newest_slots(rule, until - back, until, most) == between(rule, until - back, until)[-most:]
    assert len(newest_slots(rule, utc("2000-01-01T00:00"), until, most)) == most


@pytest.mark.parametrize("text", ["* * * * *", "* * * 1 *", "0 0 1 1 *", "0 0 29 2 *"])
@pytest.mark.parametrize("most", [1, 20])
def test_a_century_of_missed_slots_costs_little(
    monkeypatch: pytest.MonkeyPatch, text: str, most: int
) -> None:
    asked = 0

    def counted(rule: Rule, after: datetime) -> datetime:
        nonlocal asked
        asked += 1
        return next_slot(rule, after)

    rule = parse(text)
    monkeypatch.setattr(cron, "next_slot", counted)
    found = newest_slots(rule, utc("1930-01-01T00:00"), utc("2030-07-01T00:00"), most)
    assert len(found) == most
    assert asked < 60 * (most + 1)


def test_shortest_gap() -> None:
    assert cron.shortest_gap(parse("* * * * *"), utc("2030-01-01T00:00")) == MINUTE
    assert cron.shortest_gap(parse("0,50 3 * * *"), utc("2030-01-01T00:00")) == 50 * MINUTE


def test_missing_library_is_named_with_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *more: Any, **named: Any) -> Any:
        if name == "cronsim":
            raise ImportError(name)
        return real(name, *more, **named)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ConfigurationError, match=r"pgqueue-engine\[cron\]"):
        next_slot(Rule("* * * * *", "UTC", UTC), utc("2030-01-01T00:00"))
