"""Cron rules in a time zone: what is accepted, and which instants are their slots.

Parsing, matching and stepping are those of cronsim, whose refusals are made precise here. It is asked about wall clocks
without a zone, and what they show is turned into instants by zoneinfo: given a zone, it loses slots where clocks change by
half an hour, and steps for ever where they change a minute after midnight. Pure: the time is an argument.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache
from itertools import islice, pairwise
from typing import TYPE_CHECKING, Any, NamedTuple
from zoneinfo import ZoneInfo

from pgqueue.errors import ConfigurationError, InvalidInput

if TYPE_CHECKING:
    from cronsim import CronSim

MAX_RULE = 255
MAX_ZONE = 64
EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
# Clocks change within these around a slot, if they have anything to do with it.
NEAR = timedelta(days=2)

ALIASES = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
_TERM = re.compile(r"[0-9A-Za-z*/#-]+")
_ZONE = re.compile(r"[A-Z][A-Za-z_]*(/[A-Za-z0-9_+-]+)+")


class Field(NamedTuple):
    """One field of a rule, and the numbers that it takes."""

    name: str
    least: int
    most: int


FIELDS = (
    Field("minute", 0, 59),
    Field("hour", 0, 23),
    Field("day of month", 1, 31),
    Field("month", 1, 12),
    Field("day of week", 0, 7),
)


@dataclass(frozen=True, slots=True)
class Rule:
    """A checked rule: `text` has five fields."""

    text: str
    timezone: str
    zone: tzinfo

    @property
    def follows_wall_clock(self) -> bool:
        """Tell whether it names times of day; one whose minute or hour begins with * counts real time."""
        minute, hour, *_ = self.text.split()
        return not minute.startswith("*") and not hour.startswith("*")

    @property
    def has_either_day(self) -> bool:
        """Tell whether a day of month and a day of week are both given, so that one of them is enough."""
        _, _, day, _, weekday = self.text.split()
        return not day.startswith("*") and not weekday.startswith("*")


@lru_cache(maxsize=1024)
def parse(cron: str, timezone: str = "UTC") -> Rule:
    """Return the rule. Raises: InvalidInput that names the field and what is wrong; ConfigurationError without cronsim."""
    text = _five_fields(cron)
    rule = Rule(text, timezone, find_zone(timezone))
    for field, value in zip(FIELDS, text.split(), strict=True):
        for term in value.split(","):
            _check_term(field, term, cron)
    next_slot(rule, EARLIEST)
    return rule


def find_zone(timezone: str) -> tzinfo:
    """Return the zone: UTC or Area/City. Raises: InvalidInput, also for one that this machine's zone files don't know."""
    if timezone == "UTC":
        return UTC
    if len(timezone) > MAX_ZONE or not _ZONE.fullmatch(timezone):
        raise InvalidInput(
            f"time zone {timezone!a:.80} is neither UTC nor Area/City",
            cure="Write Europe/Berlin, for one: abbreviations do not say where clocks change.",
            argument="timezone",
        )
    try:
        return ZoneInfo(timezone)
    except (KeyError, ValueError, OSError):  # OSError: the name of a directory, such as America/Indiana
        raise InvalidInput(
            f"time zone {timezone!a} is unknown here",
            cure="Check the name. Zones come from the system, or from the package tzdata.",
            argument="timezone",
        ) from None


def next_slot(rule: Rule, after: datetime) -> datetime:
    """Return the first slot strictly after an instant, in UTC.

    A rule that names times of day fires a time that clocks skip at the instant of the change, and a repeated time once,
    the first time. One that counts real time fires whenever the wall clock shows what it says: near a change, minutes
    are walked. Raises: InvalidInput for a rule without slots.
    """
    after = after.astimezone(UTC)
    found = _first_shown(rule, after)
    start = max(after, found - NEAR)
    offsets = {at.astimezone(rule.zone).utcoffset() for at in (start - DAY, start, found, found + DAY)}
    if rule.follows_wall_clock or len(offsets) == 1:
        return found
    walked = next(_walk(rule, start, found + DAY), None)
    return walked or next_slot(rule, found + DAY)


def newest_slots(rule: Rule, after: datetime, until: datetime, most: int) -> list[datetime]:
    """Return the newest `most` slots after one instant and not after the other, oldest first.

    Its cost is bounded by `most`, not by how long ago `after` is, nor by how many slots there were: it feels its way back
    from `until`, and never lists more than twice as many.
    """
    after, until, span = after.astimezone(UTC), until.astimezone(UTC), most * MINUTE

    def has_enough(start: datetime) -> bool:
        return sum(1 for _ in islice(_slots(rule, start, until), most)) == most

    back, too_few = span, until
    while (start := until - back) > after and not has_enough(start):
        too_few, back = start, back * 2
    start = max(start, after)
    while too_few - start > span:
        middle = start + (too_few - start) / 2
        start, too_few = (middle, too_few) if has_enough(middle) else (start, middle)
    return list(_slots(rule, start, until))[-most:]


def next_slots(rule: Rule, after: datetime, count: int) -> list[datetime]:
    """Return the next `count` slots."""
    found = [next_slot(rule, after)]
    while len(found) < count:
        found.append(next_slot(rule, found[-1]))
    return found


def shortest_gap(rule: Rule, after: datetime, slots: int = 60) -> timedelta:
    """Return the shortest time between two of the next slots."""
    found = next_slots(rule, after, slots + 1)
    return min(later - earlier for earlier, later in pairwise(found))


def in_words(rule: Rule) -> str:
    """Say in English when a rule fires."""
    said = f"{_library(rule.text, EARLIEST).explain()}, {rule.timezone}"
    if rule.has_either_day:
        said += ". Day of month and day of week are both given: a day that fits either is enough"
    return said


def _slots(rule: Rule, after: datetime, until: datetime) -> Iterator[datetime]:
    while (after := next_slot(rule, after)) <= until:
        yield after


def _five_fields(cron: object) -> str:
    if not isinstance(cron, str):
        raise _bad(f"the cron rule must be a str, not {type(cron).__name__}")
    if len(cron) > MAX_RULE:
        raise _bad(f"the cron rule has {len(cron)} characters, at most {MAX_RULE}")
    if cron.strip().startswith("@"):
        if (known := ALIASES.get(cron.strip().lower())) is not None:
            return known
        raise _bad(f"the cron rule {cron!a} is unknown", f"Known are {', '.join(ALIASES)}, and five fields.")
    fields = cron.split()
    if len(fields) != len(FIELDS):
        cure = "There are none for seconds or years: the shortest interval is a minute."
        raise _bad(f"the cron rule {cron!a} has {len(fields)} fields, not 5", cure)
    return " ".join(fields)


def _check_term(field: Field, term: str, cron: str) -> None:
    """Refuse one term of one field before it is expanded. Raises: InvalidInput."""
    body, *steps = re.split("[/#]", term, maxsplit=1)
    numbers = [int(number) for number in re.findall("[0-9]+", body)]
    wrong = next((n for n in numbers if not field.least <= n <= field.most), None)
    problem = ""
    if not _TERM.fullmatch(term):
        problem = "can't be read"
    elif wrong is not None:
        problem = f"has {wrong}, outside of {field.least} .. {field.most}"
    elif "/" in term and not (steps[0].isdigit() and 1 <= int(steps[0]) <= field.most):
        problem = f"has the step {steps[0]!a}, outside of 1 .. {field.most}"
    elif re.fullmatch("[0-9]+-[0-9]+", body) and numbers[0] > numbers[1]:
        problem = "runs backwards"
    else:
        place = FIELDS.index(field)
        alone = ["*"] * place + [term] + ["*"] * (len(FIELDS) - 1 - place)
        try:
            _library(" ".join(alone), EARLIEST)
        except InvalidInput:
            problem = "can't be read"
    if problem:
        number = FIELDS.index(field) + 1
        cure = f"Field {number} takes *, {field.least} .. {field.most}, ranges a-b, steps */n, and lists of them."
        raise _bad(f"the {field.name} of the cron rule {cron!a} is wrong: {term!a} {problem}", cure)


def _first_shown(rule: Rule, after: datetime) -> datetime:
    """Return when the wall clock next shows what the rule says; what it skips is shown at the change, what it repeats once."""
    try:
        for shown in _library(rule.text, after.astimezone(rule.zone).replace(tzinfo=None)):
            # In a repeated hour the wall clock shows what it has shown before.
            if (slot := _instant(shown, rule.zone)) > after:
                return slot
    except OverflowError:
        pass
    raise _never(rule.text)


def _instant(shown: datetime, zone: tzinfo) -> datetime:
    while True:
        instant = shown.replace(tzinfo=zone).astimezone(UTC)
        if instant.astimezone(zone).replace(tzinfo=None) == shown:
            return instant
        shown += MINUTE


def _walk(rule: Rule, after: datetime, until: datetime) -> Iterator[datetime]:
    """Yield each minute at which the wall clock shows what the rule says."""
    rules = _library(rule.text, EARLIEST)
    at = after.replace(second=0, microsecond=0) + MINUTE
    while at <= until:
        shown = at.astimezone(rule.zone)
        if (
            shown.minute in rules.minutes
            and shown.hour in rules.hours
            and shown.month in rules.months
            and rules.match_day(shown.date())
        ):
            yield at
        at += MINUTE


def _library(text: str, after: datetime) -> CronSim:
    """Give the rule to cronsim. Raises: InvalidInput, ConfigurationError where it isn't installed."""
    try:
        from cronsim import CronSim, CronSimError  # noqa: PLC0415 - optional
    except ImportError as error:
        raise ConfigurationError(
            "schedules need cronsim, which isn't installed", cure="Install pgqueue-engine[cron]."
        ) from error
    try:
        return CronSim(text, after)
    except (CronSimError, AssertionError):
        raise _never(text) from None


def _never(text: str) -> InvalidInput:
    return _bad(f"the cron rule {text!a} never fires", "No month of the rule has such a day.")


def _bad(problem: str, cure: str | None = None) -> InvalidInput:
    fields: dict[str, Any] = {"argument": "cron"}
    return InvalidInput(problem, cure=cure or "Write 30 2 * * 1-5, for one.", **fields)
