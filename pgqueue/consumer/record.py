"""What a worker holds, written into memory that its supervisor shares: it can be read when the worker is dead.

A row is four words of 64 bits: state, plan and attempt in one; msg_id; receipt; since when, in microseconds of
the monotonic clock. Writing one costs a fraction of a microsecond and no call into the system, and no kind of
death can lose it. A row that is torn, or older than the truth, does no harm: whatever is done with it is fenced by
the receipt.
"""

from __future__ import annotations

import mmap
from collections.abc import Callable, Sequence
from typing import NamedTuple

from pgqueue.consumer.model import Held, QueuePlan

WAITING, STARTED, ENDED = 1, 2, 3  # ENDED: its handler is done, the database has not answered yet
ROWS = 16_384  # what doesn't fit is not recorded: after a death it comes back when its lease runs out
WORDS = 4
SIZE = (
    (ROWS + 1) * WORDS * 8
)  # the first row is the header: where the used ones end, and how many handlers have ended
_STATE_BITS, _PLAN_BITS = 2, 14
_STATE = (1 << _STATE_BITS) - 1
_PLAN = (1 << _PLAN_BITS) - 1
_SECOND = 1_000_000


class Row(NamedTuple):
    """One message that a worker holds. `since`: monotonic seconds of its start, before that of its claim."""

    state: int
    plan: int
    attempt: int
    msg_id: int
    receipt: int
    since: float


Cells = memoryview  # of signed 64-bit words


def map_cells(fd: int) -> Cells:
    """Map the shared memory behind a file descriptor, which may be closed afterwards."""
    return memoryview(mmap.mmap(fd, SIZE)).cast("q")


def read_handled(cells: Cells) -> int:
    """Read how many handlers have ended in this process."""
    return int(cells[1])


def read_rows(cells: Cells) -> list[Row]:
    """Read what is held, also while it is being written."""
    end = min(max(cells[0], WORDS), len(cells))
    words = cells[:end].tolist()
    return [
        _row(words[at : at + WORDS]) for at in range(WORDS, end, WORDS) if words[at] and at + WORDS <= end
    ]


class Record:
    """The writing side. Called on the loop only; `tell` is given each plan before a row names it."""

    def __init__(self, cells: Cells, tell: Callable[[int, QueuePlan], None]) -> None:
        self._cells, self._tell = cells, tell
        self._free = list(range(ROWS * WORDS, 0, -WORDS))
        self._plans: dict[QueuePlan, int] = {}

    def claimed(self, plan: QueuePlan, claimed: Sequence[Held]) -> None:
        """Record messages of one read."""
        number = self.number(plan)
        if number > _PLAN:
            return
        tag = WAITING | number << _STATE_BITS
        cells, free = self._cells, self._free
        for held in claimed:
            if not free:
                return
            at = free.pop()
            message = held.message
            cells[at + 1] = message.msg_id
            cells[at + 2] = message.receipt or 0
            cells[at + 3] = int(held.claimed_at * _SECOND)
            if at >= cells[0]:
                cells[0] = at + WORDS
            cells[at] = tag | held.attempt << _STATE_BITS + _PLAN_BITS  # last: it makes the row valid
            held.row = at

    def started(self, held: Held) -> None:
        """Its handler begins."""
        if held.row and held.started_at is not None:
            self._cells[held.row + 3] = int(held.started_at * _SECOND)
            self._cells[held.row] = self._cells[held.row] & ~_STATE | STARTED

    def ended(self, held: Held) -> None:
        """Its handler is done."""
        self._cells[1] += 1
        if held.row:
            self._cells[held.row] |= ENDED

    def forget(self, held: Held) -> None:
        """Nothing is left to do about it."""
        if held.row:
            self._cells[held.row] = 0
            self._free.append(held.row)
            held.row = 0

    def number(self, plan: QueuePlan) -> int:
        """Return the number that stands for a plan; a new one is told."""
        number = self._plans.get(plan)
        if number is None:
            number = self._plans[plan] = len(self._plans)
            if number <= _PLAN:
                self._tell(number, plan)
        return number


def _row(words: Sequence[int]) -> Row:
    tag, msg_id, receipt, since = words
    plan = tag >> _STATE_BITS & _PLAN
    return Row(tag & _STATE, plan, tag >> _STATE_BITS + _PLAN_BITS, msg_id, receipt, since / _SECOND)
