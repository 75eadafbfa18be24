"""What is planted into the Python of a run's processes, by the variable PGQUEUE_TORTURE_PLANT. Test code only."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import itertools
import math
import os
import threading
import time
from typing import Any

import psycopg

LOST_ONE_IN = 100
TWICE_ONE_IN = 10
DISPATCH_SECONDS = 2.0
BETWEEN_SECONDS = 0.3
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


def settle_some_twice() -> None:
    """Let some acks of parts be sent again when they were answered, as after a reply that got lost.

    By itself this breaks no promise: the second one changes nothing.
    """
    from pgqueue.db import runner  # noqa: PLC0415

    run_async = runner.AsyncRunner.run
    numbers = itertools.count(1)

    async def run_again(self: Any, call: Any) -> Any:
        answer = await run_async(self, call)
        if call.name == "barrier.ack" and next(numbers) % TWICE_ONE_IN == 0:
            await run_async(self, call)
        return answer

    runner.AsyncRunner.run = run_again  # type: ignore[method-assign]


def fire_from_an_outbox() -> None:
    """Send callbacks as a dispatcher beside the worker does: take one from the outbox, commit, send it.

    The table is made by the first process that needs it; a barrier that ends before is retried with its part.
    """
    threading.Thread(target=_dispatch, name="dispatcher", daemon=True).start()


def _dispatch() -> None:
    while True:
        with contextlib.suppress(psycopg.Error), _connected() as connection:
            connection.execute("create table if not exists public.to_fire (generation bigint)")
            while True:
                taken = connection.execute("delete from public.to_fire returning generation").fetchall()
                time.sleep(DISPATCH_SECONDS)
                for row in taken:
                    connection.execute("select pgqueue.fire_barrier(%s)", row)


def _connected() -> psycopg.Connection[Any]:
    return psycopg.connect(os.environ["PGQUEUE_DSN"], autocommit=True, prepare_threshold=None)


def send_slots_first() -> None:
    """Let a scheduler send the messages of slots in a transaction of their own, and advance the schedule a moment later."""
    from pgqueue.call import Call  # noqa: PLC0415
    from pgqueue.db import runner  # noqa: PLC0415

    run_async = runner.AsyncRunner.run
    send = "select pgqueue.send_slots(s, %s::timestamptz[]) from pgqueue.schedule s where s.name = %s and s.next_at = %s"

    async def run_apart(self: Any, call: Any) -> Any:
        if call.name == "schedule.fire":
            name, _, _, slot, slots, *_ = call.params
            await run_async(self, Call("schedule.send", send, (slots, name, slot), len))
            await asyncio.sleep(BETWEEN_SECONDS)
        return await run_async(self, call)

    runner.AsyncRunner.run = run_apart  # type: ignore[method-assign]


def skip_what_is_held() -> None:
    """Let work under a claim be skipped as done while somebody holds it, who may have died at it."""
    # The package has a function of that name.
    room: Any = importlib.import_module("pgqueue.claim.once")
    skipped = room.SKIPPED_DUPLICATE
    assert callable(room._skipped)
    room._skipped = lambda *_: skipped
