"""What is planted into the Python of a run's processes, by the variable PGQUEUE_TORTURE_PLANT. Test code only."""

from __future__ import annotations

import asyncio
import itertools
import math
from typing import Any

import psycopg

LOST_ONE_IN = 100
SLOW_ONE_IN = 25
SLOW_SECONDS = 4.0  # longer than a lease of the harness


def wake_up_by_notify_only() -> None:
    """Let the consumer read when a sender rings, and never because time has passed."""
    from pgqueue.consumer.intake import Pace  # noqa: PLC0415 - only in the processes of a run

    empty = Pace.empty

    def for_ever(self: Pace, now: float, *, awaited: bool = False) -> None:
        empty(self, now, awaited=awaited)
        if self.next_at > now:
            self.next_at = math.inf

    Pace.empty = for_ever  # type: ignore[method-assign]


def repeat_sends_without_a_key() -> None:
    """Let the client send again whatever got no answer, key or none."""
    from pgqueue.db import attempt  # noqa: PLC0415

    repeatable = attempt.repeatable

    def always(call: Any, *, rolled_back: bool) -> bool:
        return call.name.startswith("message.send") or repeatable(call, rolled_back=rolled_back)

    attempt.repeatable = always
    lose_some_answers_to_sends()


def lose_some_answers_to_sends() -> None:
    """Lose one answer in a hundred: the losses on the wire seldom hit the very reply that matters.

    By itself this breaks no promise: the send is then in doubt, and its producer is told so.
    """
    from pgqueue.db import runner  # noqa: PLC0415

    execute, execute_async = runner._execute, runner._execute_async
    numbers = itertools.count(1)

    def loses_this(call: Any) -> bool:
        return call.name == "message.send" and next(numbers) % LOST_ONE_IN == 0

    def deaf(connection: Any, sql: str, call: Any) -> Any:
        rows = execute(connection, sql, call)
        if loses_this(call):
            connection.close()
            raise psycopg.OperationalError("the answer was lost")
        return rows

    async def deaf_async(connection: Any, sql: str, call: Any) -> Any:
        rows = await execute_async(connection, sql, call)
        if loses_this(call):
            await connection.close()
            raise psycopg.OperationalError("the answer was lost")
        return rows

    runner._execute, runner._execute_async = deaf, deaf_async


def settle_some_too_late() -> None:
    """Let some messages be settled only when their lease is over, as by a worker that was held up in between."""
    from pgqueue.consumer.settle import Settler  # noqa: PLC0415

    add = Settler.add

    def held_up(self: Settler, held: Any, verdict: Any) -> None:
        if held.message.msg_id % SLOW_ONE_IN:
            add(self, held, verdict)
        else:
            asyncio.get_running_loop().call_later(SLOW_SECONDS, add, self, held, verdict)

    Settler.add = held_up  # type: ignore[method-assign]
