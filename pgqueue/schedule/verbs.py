"""The verbs on whatever is at hand: a client, `client.on(connection)`, or your psycopg connection.

For an async target each returns an awaitable of what is said here.
"""

from __future__ import annotations

from typing import Any

from pgqueue.call import Call
from pgqueue.db.target import run_on
from pgqueue.schedule import calls
from pgqueue.schedule.model import Options


def set_schedule(
    target: Any, name: str, cron: str, sending: Call[int], options: Options = calls.DEFAULT
) -> Any:
    """Make a schedule, or make the one of this name so; return whether it was created, changed or unchanged."""
    return run_on(target, calls.set_schedule(name, cron, sending, options))


def delete_schedule(target: Any, name: str) -> Any:
    """Remove a schedule; what it has sent stays. False when there is none."""
    return run_on(target, calls.delete_schedule(name))


def fire_schedule_now(target: Any, name: str) -> Any:
    """Send the message of a schedule now, beside its slots; return its msg_id, None when there is no such schedule."""
    return run_on(target, calls.fire_schedule_now(name))
