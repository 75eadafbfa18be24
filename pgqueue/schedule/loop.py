"""One step of a scheduler: fire what is due. Any number of processes may take it at once."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Protocol, TypeVar

from pgqueue.call import Call
from pgqueue.errors import DatabaseError, InDoubt, InvalidInput, KeyBusy, QueueBusy
from pgqueue.log import get_logger
from pgqueue.schedule import calls, rules
from pgqueue.schedule.cron import parse
from pgqueue.schedule.model import DueSchedule

T = TypeVar("T")
log = get_logger("pgqueue.schedule")

MOST_AT_ONCE = 100


class Runner(Protocol):
    """What runs the calls: an `AsyncPgQueue`."""

    def run(self, call: Call[T], /) -> Awaitable[T]: ...


async def fire_due(runner: Runner, qty: int = MOST_AT_ONCE) -> int:
    """Fire the due slots of up to `qty` schedules, the longest due first; return how many slots were fired.

    One round trip when nothing is due. A schedule that can't be followed is disabled with its error, and holds up no
    other. Raises: Unavailable; ConfigurationError when something is due and cronsim isn't installed.
    """
    return sum([await _fire(runner, due) for due in await runner.run(calls.due_schedules(qty))])


async def _fire(runner: Runner, due: DueSchedule) -> int:
    try:
        plan = rules.plan(parse(due.cron, due.timezone), due)
    except InvalidInput as refused:
        problem = str(refused)
        if await runner.run(calls.disable_schedule(due, problem)):
            log.error("schedule.disabled", schedule=due.name, error=problem)  # noqa: TRY400 - the rule is bad, not the code
        return 0
    try:
        fired = await runner.run(calls.fire_schedule(due, plan))
    except (DatabaseError, InDoubt, InvalidInput, QueueBusy, KeyBusy) as error:
        log.error("schedule.failed", schedule=due.name, error=str(error))  # noqa: TRY400 - as above, the server's
        return 0
    if fired.passed_from is not None:
        log.warning(
            "slots.missed",
            schedule=due.name,
            first=str(fired.passed_from),
            until=str(fired.passed_until),
            catch_up=due.catch_up,
        )
    if fired.outcome == "disabled":
        log.error("schedule.disabled", schedule=due.name, error=fired.problem)
    return fired.sent
