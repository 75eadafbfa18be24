"""What a scheduler decides: which slots are fired, which are left out, and when the next one is due. Pure."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from typing import Any

from pgqueue.call import Call
from pgqueue.errors import InvalidInput
from pgqueue.message.rules import check_key
from pgqueue.schedule import cron
from pgqueue.schedule.cron import Rule
from pgqueue.schedule.model import SCHEDULE_HEADER, CatchUp, DueSchedule, Options, Plan, Slot

MOST_CAUGHT_UP = 1_000
MAX_JITTER = 3_600.0
# Under `skip` a slot is fired up to so long after it was due; SQL has the same.
LATE = timedelta(minutes=1)


def plan(rule: Rule, due: DueSchedule) -> Plan:
    """Decide what to do with a due schedule, as of `due.seen_at`.

    A rule that was never planned fires nothing: it begins with its first slot to come, and after every slot that was
    fired before, whatever the clock says.
    """
    if due.slot is None:
        after = due.seen_at if due.last_slot is None else max(due.seen_at, due.last_slot)
        return _planned((), cron.next_slot(rule, after), due)
    most = due.catch_up_most if due.catch_up == CatchUp.ALL else 1
    come = _come(rule, due, due.slot, most + 1)
    fired = () if due.catch_up == CatchUp.SKIP and _is_late(come[-1], due) else tuple(come[-most:])
    return _planned(fired, cron.next_slot(rule, come[-1]), due)


def delay_of(name: str, slot: datetime, jitter: timedelta) -> timedelta:
    """Return how much later than its time a slot is fired: from 0 to `jitter`, always the same for the same slot."""
    digest = blake2b(f"{name}/{int(slot.timestamp())}".encode(), digest_size=8).digest()
    return jitter * (int.from_bytes(digest) / 2**64)


def slot_of(headers: Any) -> Slot | None:
    """Read which slot of which schedule a message says it is; None for any other message. Never raises."""
    match headers.get(SCHEDULE_HEADER) if isinstance(headers, dict) else None:
        case {"schedule": str(name), "slot": str(text)}:
            try:
                at = datetime.fromisoformat(text)
                return None if at.tzinfo is None else Slot(name, at.astimezone(UTC))
            except (ValueError, OverflowError):
                return None
        case {"schedule": str(name), **more} if "slot" not in more:
            return Slot(name, None)
    return None


def check_schedule_name(name: str) -> str:
    """Return the name of a schedule: 1 .. 255 bytes, without control characters."""
    if check_key("name", name) is None:
        raise InvalidInput("name is None", argument="name")
    if not name.isprintable():
        raise InvalidInput(f"name {name!a:.80} holds control characters", argument="name")
    return name


def check_options(rule_text: str, options: Options) -> tuple[Rule, float]:
    """Return the rule in its zone, and the jitter in seconds. Raises: InvalidInput, ConfigurationError without cronsim."""
    if options.catch_up not in set(CatchUp):
        cure = f"Choose one of: {', '.join(CatchUp)}."
        raise InvalidInput(f"catch_up {options.catch_up!a} is unknown", cure=cure, argument="catch_up")
    most: object = options.catch_up_most
    if isinstance(most, bool) or not isinstance(most, int) or not 1 <= most <= MOST_CAUGHT_UP:
        problem = f"catch_up_most can't be {most!a}, allowed are 1 .. {MOST_CAUGHT_UP}"
        raise InvalidInput(problem, argument="catch_up_most")
    rule = cron.parse(rule_text, options.timezone)
    return rule, _jitter(rule, options.jitter)


def message_of(sending: object) -> tuple[str, str, str | None, str | None, int]:
    """Take a send apart: queue, message, headers, group_key, priority. Raises: InvalidInput."""
    if not isinstance(sending, Call) or sending.name != "message.send":
        problem = f"what a schedule sends must be the call of a send, not {type(sending).__name__}"
        raise InvalidInput(
            problem, cure="Pass task.call(...) or message.calls.send(...).", argument="sending"
        )
    message, headers, delay, key, group_key, priority = sending.params
    if delay or key is not None:
        cure = "Leave both out: each slot sends the message anew, at its time."
        raise InvalidInput("a schedule sends without delay and key", cure=cure, argument="sending")
    named: Any = (sending.queue, message, headers, group_key, priority)
    checked: tuple[str, str, str | None, str | None, int] = named
    return checked


def _come(rule: Rule, due: DueSchedule, first: datetime, most: int) -> list[datetime]:
    """Return the newest slots that are due, oldest first; `first` is one of them, for so the database says."""
    come = cron.newest_slots(rule, first, due.seen_at, most)
    if len(come) < most:
        come.insert(0, first)
    while come and come[-1] > first and come[-1] + delay_of(due.name, come[-1], due.jitter) > due.seen_at:
        come.pop()
    return come or [first]


def _is_late(slot: datetime, due: DueSchedule) -> bool:
    return slot + delay_of(due.name, slot, due.jitter) + LATE < due.seen_at


def _planned(slots: tuple[datetime, ...], next_at: datetime, due: DueSchedule) -> Plan:
    return Plan(slots, next_at, next_at + delay_of(due.name, next_at, due.jitter))


def _jitter(rule: Rule, jitter: object) -> float:
    seconds = jitter.total_seconds() if isinstance(jitter, timedelta) else jitter
    if isinstance(seconds, bool) or not isinstance(seconds, (int, float)):
        problem = f"jitter must be seconds or a timedelta, not {type(jitter).__name__}"
        raise InvalidInput(problem, argument="jitter")
    if not 0 <= seconds <= MAX_JITTER:  # false for NaN too
        raise InvalidInput(
            f"jitter can't be {seconds} s, allowed are 0 .. {MAX_JITTER:g} s", argument="jitter"
        )
    gap = cron.shortest_gap(rule, cron.EARLIEST).total_seconds() if seconds else MAX_JITTER
    if seconds and seconds >= gap:
        problem = f"jitter of {seconds:g} s reaches the next slot: two of them can be {gap:g} s apart"
        raise InvalidInput(problem, cure="Choose less, so that slots keep their order.", argument="jitter")
    return float(seconds)
