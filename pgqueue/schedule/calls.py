"""The verbs on schedules, named as in SQL. Each returns a `Call`; nothing is sent until a runner runs it."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from pgqueue.call import Call, Repeat, Rows, scalar
from pgqueue.message.model import decode_columns
from pgqueue.message.rules import check_qty, clean_error
from pgqueue.queue.rules import check_name, check_why
from pgqueue.schedule import rules
from pgqueue.schedule.model import Change, DueSchedule, Fired, Options, Plan, Resumed, ScheduleInfo

DEFAULT = Options()

_INFO = (
    "name, queue, state, cron, timezone, next_at, due_at, last_slot, last_fired_at, last_msg_id, fired, missed_from, "
    "missed_until, catch_up, catch_up_most, jitter, error, paused_at, paused_by, pause_reason, group_key, priority, "
    "created_at, changed_at, message::text, headers::text"
)


def set_schedule(name: str, cron: str, sending: Call[int], options: Options = DEFAULT) -> Call[Change]:
    """Make a schedule that sends a message at each slot of a cron rule, or make the one of this name so. Safe to repeat.

    `sending`: `task.call(...)`, or any send as a value. A new rule begins with its first slot to come.
    """
    rule, jitter = rules.check_options(cron, options)
    queue, message, headers, group_key, priority = rules.message_of(sending)
    return Call(
        "schedule.set",
        "select pgqueue.set_schedule(name => %s, queue => %s, cron => %s, message => %s::jsonb, headers => %s::jsonb, "
        "timezone => %s, catch_up => %s, catch_up_most => %s, jitter => make_interval(secs => %s), group_key => %s, "
        "priority => %s)",
        (
            rules.check_schedule_name(name),
            queue,
            rule.text,
            message,
            headers,
            rule.timezone,
            str(options.catch_up),
            options.catch_up_most,
            jitter,
            group_key,
            priority,
        ),
        lambda rows: Change(rows[0][0]),
        repeat=Repeat.ALWAYS,
    )


def pause_schedule(name: str, why: str) -> Call[bool]:
    """Fire no slot of a schedule until it is resumed; False when there is none of the name."""
    return Call(
        "schedule.pause",
        "select pgqueue.pause_schedule(name => %s, why => %s)",
        (rules.check_schedule_name(name), check_why(why)),
        scalar,
        repeat=Repeat.ALWAYS,
    )


def resume_schedule(name: str) -> Call[Resumed]:
    """Let a paused or disabled schedule go on, with its first slot to come."""
    return Call(
        "schedule.resume",
        "select pgqueue.resume_schedule(name => %s)",
        (rules.check_schedule_name(name),),
        lambda rows: Resumed(rows[0][0]),
        repeat=Repeat.ALWAYS,
    )


def delete_schedule(name: str) -> Call[bool]:
    """Remove a schedule; what it has sent stays. False when there is none."""
    return Call(
        "schedule.delete",
        "select pgqueue.delete_schedule(name => %s)",
        (rules.check_schedule_name(name),),
        scalar,
        repeat=Repeat.ALWAYS,
    )


def fire_schedule_now(name: str) -> Call[int | None]:
    """Send the message of a schedule now, by hand, beside its slots; return its msg_id, None when there is no such schedule."""
    return Call(
        "schedule.fire_now",
        "select pgqueue.fire_schedule_now(name => %s)",
        (rules.check_schedule_name(name),),
        scalar,
    )


def schedules(name: str | None = None, *, qty: int = 1_000) -> Call[list[ScheduleInfo]]:
    """Return schedules by name. Needs the observer's role."""
    return Call(
        "schedule.list",
        f"select {_INFO} from pgqueue.schedules where %s::text is null or name = %s order by name limit %s",
        (name, name, check_qty(qty)),
        lambda rows: [_info_of(row) for row in rows],
        repeat=Repeat.ALWAYS,
    )


def database_clock() -> Call[datetime]:
    """Return the database's now, the only one that counts."""
    return Call("schedule.clock", "select pgqueue.clock()", (), scalar, repeat=Repeat.ALWAYS)


def due_schedules(qty: int = 100) -> Call[list[DueSchedule]]:
    """Return the schedules to look at now, the longest due first."""
    return Call(
        "schedule.due",
        "select * from pgqueue.due_schedules(qty => %s)",
        (check_qty(qty),),
        _due_of,
        repeat=Repeat.ALWAYS,
    )


def fire_schedule(due: DueSchedule, plan: Plan) -> Call[Fired]:
    """Send the messages of the planned slots and advance the schedule: both, once, and only if it still stands there.

    Safe to repeat, and from any number of processes: a second run finds the slot advanced, and answers "lost".
    """
    return Call(
        "schedule.fire",
        "select outcome, sent, passed_from, passed_until, problem, sent > 0 from pgqueue.fire_schedule(name => %s, cron => %s, "
        "timezone => %s, slot => %s, slots => %s::timestamptz[], next_at => %s, due_at => %s)",
        (due.name, due.cron, due.timezone, due.slot, list(plan.slots), plan.next_at, plan.due_at),
        lambda rows: Fired._make(rows[0][:5]),
        repeat=Repeat.ALWAYS,
        after_commit=_ring(due.queue),
    )


def disable_schedule(due: DueSchedule, error: str) -> Call[bool]:
    """Stop a schedule whose rule can't be followed, with its error, if it still has that rule; False when it hasn't."""
    return Call(
        "schedule.disable",
        "select pgqueue.disable_schedule(name => %s, cron => %s, timezone => %s, error => %s)",
        (due.name, due.cron, due.timezone, clean_error(error)),
        scalar,
        repeat=Repeat.ALWAYS,
    )


@lru_cache(maxsize=1024)
def _ring(queue: str) -> Call[bool]:
    """Wake who waits in a queue, after the commit. Written out, for hints of one transaction are told apart by their SQL."""
    return Call(
        "schedule.ring",
        f"select * from pgqueue.schedule_ring(queue => '{check_name(queue)}')",
        (),
        scalar,
        repeat=Repeat.ALWAYS,
        may_commit_async=True,
    )


def _due_of(rows: Rows) -> list[DueSchedule]:
    """Read instants as UTC: within one zone Python compares what the wall clock shows."""
    return [
        DueSchedule._make(v.astimezone(UTC) if isinstance(v, datetime) else v for v in row) for row in rows
    ]


def _info_of(row: Any) -> ScheduleInfo:
    (message, headers), _ = decode_columns(list(row[-2:]))
    return ScheduleInfo._make((*row[:-2], message, headers))


__all__ = [
    "database_clock",
    "delete_schedule",
    "disable_schedule",
    "due_schedules",
    "fire_schedule",
    "fire_schedule_now",
    "pause_schedule",
    "resume_schedule",
    "schedules",
    "set_schedule",
]
