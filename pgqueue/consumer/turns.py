"""Decides which queue reads next, and how much: fair turns by weight, pure.

Start-time fair queueing: what a queue has had is counted in messages over its weight, and the one that has had least is
next. Only queues that have messages count: an idle one saves nothing up, and its share goes to the others.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum

from pgqueue.consumer.intake import Pace
from pgqueue.consumer.model import QueuePlan

READS_AT_ONCE = 4
# A read that takes longer keeps nobody waiting any more: neither for its turn nor for the room that it asked for.
PATIENCE = 0.5
OTHER_CONNECTIONS = 4  # settings, upkeep, the schema's watch, the listener's proof

# Says how many messages a queue may claim now, when so many were asked for that have not come yet. None: it is not to read
# at all, since the database doesn't take what it has done; then it keeps no turn.
RoomFor = Callable[[QueuePlan, int], int | None]


def work_connections(queues: int) -> int:
    """Say how many connections a process needs for its reads, as many acks, and all that goes beside them.

    Every queue acks by itself. Where as many queues hang as may ack at once, the acks of the others wait.
    """
    return 2 * min(queues, READS_AT_ONCE) + OTHER_CONNECTIONS


@dataclass(slots=True, eq=False)
class Reader:
    """One queue's part: `had` messages over weight, `busy` when its last read found some, `asked` while it reads."""

    pace: Pace
    had: float = 0.0
    busy: bool = False
    asked: int = 0
    asked_at: float = 0.0

    @property
    def weight(self) -> float:
        return self.pace.plan.weight

    def is_fresh(self, now: float) -> bool:
        return self.asked > 0 and now - self.asked_at < PATIENCE

    def begin(self, qty: int, now: float) -> None:
        """A read of so many begins."""
        self.asked, self.asked_at = qty, now

    def answered(self, got: int, now: float) -> None:
        """It brought so many; a slow one neither saves up nor owes anything."""
        self.busy = got > 0 and self.is_fresh(now)
        self.had -= (self.asked - got) / self.weight
        self.asked = 0


class Blocked(Enum):
    """Why no queue reads now."""

    NOT_DUE = "not due"
    NO_ROOM = "no room"
    READING = "reading"  # another read has to be answered first


class Turns:
    """Whose turn it is, among the queues of one process."""

    def __init__(self, readers: Sequence[Reader]) -> None:
        self.readers = readers
        self._clock = 0.0  # what the queue that came last had had by then

    def reserved(self, now: float) -> int:
        """How many messages were asked for that may come any moment."""
        return sum(reader.asked for reader in self.readers if reader.is_fresh(now))

    def next(self, now: float, room_for: RoomFor) -> tuple[Reader, int] | Blocked:
        """Return the queue that reads now and how much, or why none does. It counts as reading from now on."""
        due = [reader for reader in self.readers if not reader.asked and reader.pace.next_at <= now]
        if not due:
            return Blocked.NOT_DUE
        due = self._with_a_lane(due, now)
        if not due:
            return Blocked.READING
        rooms = {reader: room_for(reader.pace.plan, self.reserved(now)) for reader in due}
        due = [reader for reader in due if rooms[reader] is not None]
        if not due:
            return Blocked.NO_ROOM
        first = min(due, key=lambda reader: (self._start(reader), reader.asked_at))
        ahead = [reader for reader in self.readers if reader.busy and reader.is_fresh(now)]
        if any(reader.had < self._start(first) for reader in ahead):
            return Blocked.READING
        room = rooms[first]
        if not room:
            return Blocked.NO_ROOM
        others = sum(reader.weight for reader in (*due, *ahead) if reader is not first)
        qty = min(room, math.ceil(room * first.weight / (first.weight + others)))
        self._clock = self._start(first)
        first.had = self._clock + qty / first.weight
        first.begin(qty, now)
        return first, qty

    def _start(self, reader: Reader) -> float:
        """What it has had, for comparison: who was idle begins where the others are."""
        return reader.had if reader.busy else max(reader.had, self._clock)

    def _with_a_lane(self, due: list[Reader], now: float) -> list[Reader]:
        """Leave out what may not read beside the reads on their way; queues in trouble leave one lane to the others."""
        reading = [reader for reader in self.readers if reader.asked]
        if len(reading) >= READS_AT_ONCE:
            return []
        slow = sum(bool(reader.pace.trouble.failures) or not reader.is_fresh(now) for reader in reading)
        if slow < READS_AT_ONCE - 1:
            return due
        return [reader for reader in due if not reader.pace.trouble.failures]
