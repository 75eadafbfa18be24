"""One settler a queue: acks of a queue that hangs (a lock, a slow disk) keep those of no other one waiting.

That holds while fewer queues hang than `turns.READS_AT_ONCE`: so many connections are there for acks.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable

from pgqueue.consumer.model import Held, Verdict
from pgqueue.consumer.settle import Settler


class Settlers:
    """The settlers of all queues of a process, as one."""

    def __init__(self, queues: Iterable[str], make: Callable[[], Settler]) -> None:
        self._settlers = {queue: make() for queue in queues}

    @property
    def pending(self) -> int:
        """How many verdicts the database hasn't answered yet."""
        return sum(settler.pending for settler in self._settlers.values())

    def pending_of(self, queue: str) -> int:
        """How many of one queue."""
        return self._settlers[queue].pending

    def add(self, held: Held, verdict: Verdict) -> None:
        """Take a verdict; it goes out as soon as the call of its queue before it is answered."""
        self._settlers[held.plan.queue].add(held, verdict)

    def server_answered(self) -> None:
        """Let nothing wait any longer because the server was away."""
        for settler in self._settlers.values():
            settler.server_answered()

    async def run(self) -> None:
        """Settle for ever; cancel it at the end."""
        await asyncio.gather(*(settler.run() for settler in self._settlers.values()))

    async def drained(self) -> None:
        """Return when nothing waits to be settled."""
        await asyncio.gather(*(settler.drained() for settler in self._settlers.values()))
