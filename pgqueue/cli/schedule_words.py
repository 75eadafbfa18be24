"""Words and slots of schedules, for people."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import click

from pgqueue.cli.output import at, print_rows
from pgqueue.errors import InvalidInput
from pgqueue.schedule import cron
from pgqueue.schedule.model import ScheduleInfo

SHOWN = 5
_SLOTS = ("slot", "local")


def facts(info: ScheduleInfo) -> dict[str, Any]:
    facts = info._asdict() | {"jitter": info.jitter.total_seconds()}
    return facts | {"why": info.error or info.pause_reason}


def rule_of(info: ScheduleInfo) -> cron.Rule | None:
    """Return the rule, None for one that can't be followed: the error of the schedule says why."""
    try:
        return cron.parse(info.cron, info.timezone)
    except InvalidInput:
        return None


def next_slots(rule: cron.Rule, info: ScheduleInfo, now: datetime) -> list[datetime]:
    """Return the next slots as they will be fired: the planned one first."""
    if info.state in ("paused", "disabled"):
        return []
    after = now if info.last_slot is None else max(now, info.last_slot)
    found = cron.next_slots(rule, after, SHOWN)
    return found if info.next_at is None else sorted({info.next_at.astimezone(UTC), *found})[:SHOWN]


def print_slots(rule: cron.Rule, slots: list[datetime]) -> None:
    rows = [
        {"slot": slot, "local": slot.astimezone(rule.zone).strftime("%a %Y-%m-%d %H:%M %Z")} for slot in slots
    ]
    click.echo("")
    print_rows(rows, _SLOTS, as_json=False, empty="no slot will be fired")


def told(info: ScheduleInfo) -> str:
    """Say in words how a schedule stands."""
    named = f"schedule {info.name}"
    match info.state:
        case "disabled":
            return f"{named} is disabled: {(info.error or 'by hand').rstrip('.')}. Set it right, or resume it"
        case "paused":
            return f"{named} is paused by {info.paused_by} since {at(info.paused_at)}: {info.pause_reason}"
        case "new":
            return f"{named} was not seen by a scheduler yet: run pgqueue consume or pgqueue maintain"
        case "late":
            return f"{named} is late, due since {at(info.due_at)}: does a scheduler run?"
        case _:
            return f"{named} fires next at {at(info.due_at)}"
