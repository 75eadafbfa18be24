"""Decides when to read which queue, and how much: pure pacing, no I/O."""

from __future__ import annotations

from collections.abc import Callable

from pgqueue.consumer.model import Held, QueuePlan
from pgqueue.periodic import Trouble

START_WITHIN = 3  # what is claimed ahead must be able to start within this part of vt
GIVE_BACK_AFTER = 2  # what hasn't started after this part of vt is released
SHORTEST_HANDLER = 1e-4
BATCHES_AHEAD = 2
BATCHES_UNSETTLED = 10  # with more, the database doesn't take verdicts: nothing new is claimed
UNDER_WAY = 0.05  # a send that asked for waiters before we were one commits within so many seconds


class Pace:
    """When the next read of one queue is due: the interval doubles while it is empty; any claim resets it."""

    def __init__(self, plan: QueuePlan, poll: float, poll_max: float, chance: Callable[[], float]) -> None:
        self.plan = plan
        self.next_at = 0.0
        self.trouble = Trouble(chance)
        self._shortest, self._longest = poll, poll_max
        self._interval = poll
        self._rung = False
        self._waited = False

    def begin(self) -> None:
        """A read begins: what rings from now on may be about a message that it doesn't see."""
        self._rung = False

    def claimed(self, now: float) -> None:
        """There may be more: read again at once."""
        self._interval, self.next_at = self._shortest, now
        self._waited = False

    def empty(self, now: float, *, awaited: bool = False) -> None:
        """Read again after the interval; `awaited`: senders ring from now on.

        Who just begins to wait looks once more soon: a sender may have asked before, and commit after the read.
        """
        begins, self._waited = awaited and not self._waited, awaited
        if self._rung:
            self.next_at = now
        elif self.plan.paused is not None:
            self.next_at = now + self._longest
        elif begins:
            self.next_at = now + min(UNDER_WAY, self._interval)
        else:
            self.next_at = now + self._interval
            self._interval = min(2 * self._interval, self._longest)

    def rung(self, now: float) -> None:
        """A sender says that there is a message: read at once, unless the database is to be left alone."""
        self._rung, self._waited = True, False
        if not self.trouble.failures:
            self.next_at = min(self.next_at, now)

    def failed(self, now: float) -> None:
        self.next_at = now + self.trouble.seen()


def prefetch_limit(plan: QueuePlan, concurrency: int, typical_seconds: float | None) -> int:
    """Say how many messages may wait here beyond the running ones: what can start within a third of vt.

    Nothing is claimed ahead before it is known how long a handler takes, nor where the number of leases is limited: it
    would keep others from it.
    """
    if typical_seconds is None or plan.limited:
        return 0
    can_start = concurrency * plan.vt / START_WITHIN / max(typical_seconds, SHORTEST_HANDLER)
    return int(min(can_start, BATCHES_AHEAD * plan.batch))


def read_qty(plan: QueuePlan, *, free: int, waiting: int, prefetch: int) -> int:
    """Say how many messages to claim now; 0 while enough wait here, so that reads stay large.

    `waiting` counts those that were asked for too.
    """
    ahead = waiting - free
    if ahead > prefetch // 2:
        return 0
    return max(0, min(plan.batch, prefetch - ahead))


def is_overdue(held: Held, now: float) -> bool:
    """Tell whether a message that hasn't started has used up half of its lease: then it is given back."""
    return now - held.claimed_at > held.plan.vt / GIVE_BACK_AFTER
