"""What the reaper does, and how often. Each step is bounded, and asks again in the statement that writes."""

from __future__ import annotations

from collections.abc import Callable

from pgqueue.barrier import calls as barriers
from pgqueue.call import Call
from pgqueue.claim import calls as claims
from pgqueue.leadership.model import Runner
from pgqueue.queue import calls as queues
from pgqueue.reaper import calls
from pgqueue.reaper.model import Chore, Moved, Step
from pgqueue.reply import calls as replies
from pgqueue.schedule.loop import fire_due


def forgetting(call: Callable[[], Call[int]]) -> Step:
    """Make a step of a call that removes a bounded number of rows and returns how many."""

    async def step(runner: Runner, _queue: str) -> Moved:
        rows = await runner.run(call())
        return Moved(rows, again=rows > 0)

    return step


async def fire_schedules(runner: Runner, _queue: str) -> Moved:
    """Send what schedules have due."""
    fired = await fire_due(runner)
    return Moved(fired, again=fired > 0)


async def end_barriers(runner: Runner, _queue: str) -> Moved:
    """Look at the barrier that most needs it; ring for what it has sent, as the last part of a barrier would."""
    swept = await runner.run(barriers.sweep())
    if swept is None:
        return Moved(0, again=False)
    if swept.changed:
        await runner.run(barriers.ring(generations=[swept.generation]))
    return Moved(swept.changed, again=True)


async def keep_queue_small(runner: Runner, queue: str) -> Moved:
    """Take a step of upkeep of a queue: a consumer does it each second for its own, nobody for one without consumers."""
    upkeep = await runner.run(queues.maintain(queue))
    return Moved(upkeep.moved, again=upkeep.moved > 0)


async def forget_finished(runner: Runner, queue: str) -> Moved:
    """Remove what a queue is to keep no longer."""
    rows = await runner.run(calls.forget_finished(queue))
    return Moved(rows, again=rows > 0)


CHORES = (
    Chore("schedules", 1.0, fire_schedules),
    Chore("barriers", 5.0, end_barriers, most_steps=100),
    Chore("queues", 15.0, keep_queue_small, each_queue=True),
    Chore("finished_messages", 60.0, forget_finished, each_queue=True),
    Chore("ended_barriers", 60.0, forgetting(barriers.forget)),
    Chore("old_claims", 60.0, forgetting(claims.forget)),
    Chore("old_replies", 60.0, forgetting(replies.forget)),
)
