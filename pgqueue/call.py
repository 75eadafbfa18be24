"""A verb as a value: what to run, how to read the answer, and whether it may be repeated.

A `Call` does no I/O. `db.runner` runs it, on our own connection or on the caller's.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, Generic, TypeVar

T = TypeVar("T")

Rows = list[tuple[Any, ...]]


class Repeat(Enum):
    """What a runner may do when the connection is lost under a call.

    NEVER: the call isn't repeated; without proof of a rollback it raises InDoubt.
    ALWAYS: a second run has the effect of one.
    IF_ROLLED_BACK: repeated only when the server said that it rolled back; else what it did lapses by itself.
    """

    NEVER = "never"
    ALWAYS = "always"
    IF_ROLLED_BACK = "if_rolled_back"


@dataclass(frozen=True, slots=True)
class Call(Generic[T]):
    """One statement and everything a runner needs to know about it.

    `name` is "room.verb", for logs, metrics and scripted runners. `sql` has positional `%s`.
    `parse_repeated` reads the answer of a second run, where "already gone" can mean "the first run did it".
    `may_commit_async`: losing the commit costs a redelivery only. Such an `sql` ends with its FROM item (no
    WHERE, no ORDER BY), because the runner appends a condition to it.
    `after_commit`: a hint to run once this call has committed, and whose loss only costs time. It has no
    `after_commit` of its own. It is due when the last column of the answer says so; `parse` passes over that.
    """

    name: str
    sql: str
    params: Sequence[object]
    parse: Callable[[Rows], T]
    repeat: Repeat = Repeat.NEVER
    queue: str | None = None
    may_commit_async: bool = False
    parse_repeated: Callable[[Rows], T] | None = None
    after_commit: Call[Any] | None = None

    def result(self, rows: Rows, *, repeated: bool = False) -> T:
        """Read the answer of the first run, or of the repeated one."""
        parse = self.parse_repeated if repeated and self.parse_repeated is not None else self.parse
        return parse(rows)

    def hint(self, rows: Rows) -> Call[Any] | None:
        """Return what is to be run after the commit, when this answer says that it is due."""
        return self.after_commit if rows and rows[-1][-1] is True else None


def nothing(rows: Rows) -> None:
    """Parse the answer of a function that returns void."""


def scalar(rows: Rows) -> Any:
    """Parse an answer of one row; its first column."""
    return rows[0][0]


def column(rows: Rows) -> list[Any]:
    """Parse an answer by its first column."""
    return [row[0] for row in rows]
