"""What the sync and the async runner decide alike: one run of a call, its repeat, its errors. No I/O."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import psycopg
from psycopg.pq import TransactionStatus

from pgqueue.call import Call, Repeat
from pgqueue.db.liveness import AnyConnection, DeadlinePassed
from pgqueue.db.sqlstate import is_dead, must_drop, proves_rollback, translate
from pgqueue.errors import InDoubt, PgQueueError, Unavailable
from pgqueue.log import get_logger

T = TypeVar("T")
_log = get_logger("pgqueue.db")

# A literal, not for a setting to change.
REPEAT_PAUSE = 0.5

# Evaluated once before the FROM item is scanned (a one-time filter), within the statement's own transaction:
# what the verb sets itself still wins, and nothing leaks to the next client of a pooler.
ASYNC_COMMIT = " where (select set_config('synchronous_commit', 'off', true)) is not null"


@dataclass(slots=True)
class Trial(Generic[T]):
    """One run of a call on our own connections: at most two attempts under one deadline."""

    call: Call[T]
    sql: str
    timeout: float
    deadline: float = field(init=False)
    repeated: bool = False
    may_repeat: bool = False

    def __post_init__(self) -> None:
        self.deadline = time.monotonic() + self.timeout

    def note_repeat(self, error: PgQueueError) -> None:
        """Begin the second run: say what the first one met."""
        self.repeated = True
        _log.warning(
            "call.repeated",
            call=self.call.name,
            queue=self.call.queue,
            error=error.message,
            sqlstate=error.sqlstate,
        )

    def failure(self, error: BaseException, connection: AnyConnection, *, reused: bool) -> BaseException:
        """Decide what an exception means, and whether this call may be run once more."""
        self.may_repeat = False
        if isinstance(error, DeadlinePassed):
            return lost(self.call, f"no answer within {self.timeout:g} s")
        if not isinstance(error, psycopg.Error):
            return error
        if not is_dead(connection, error):
            return translate(error, self.call)
        rolled_back = proves_rollback(error.sqlstate)
        self.may_repeat = reused and not self.repeated and repeatable(self.call, rolled_back=rolled_back)
        return lost(self.call, seen(error), rolled_back=rolled_back, sqlstate=error.sqlstate)


def statement(call: Call[Any], *, async_commit: bool) -> str:
    """Return the SQL for a connection of our own, in autocommit."""
    return call.sql + ASYNC_COMMIT if async_commit and call.may_commit_async else call.sql


def repeatable(call: Call[Any], *, rolled_back: bool) -> bool:
    """Tell whether a second run is harmless. A send without a key isn't repeated even if rolled back."""
    return call.repeat is Repeat.ALWAYS or (call.repeat is Repeat.IF_ROLLED_BACK and rolled_back)


def lost(
    call: Call[Any], observed: str, *, rolled_back: bool = False, sqlstate: str | None = None
) -> PgQueueError:
    """Build the error for a lost answer: InDoubt unless it is known to be undone, or harmless to do again."""
    fields: dict[str, Any] = {"call": call.name, "queue": call.queue}
    if rolled_back:
        message = f"{call.name} was rolled back: {observed}"
        return Unavailable(message, cure="Nothing was done; call it again.", sqlstate=sqlstate, **fields)
    message = f"{call.name} got no answer: {observed}"
    if call.repeat is Repeat.ALWAYS:
        cure = "Call it again: done twice has the effect of done once."
        return Unavailable(message, cure=cure, sqlstate=sqlstate, **fields)
    if call.repeat is Repeat.IF_ROLLED_BACK:
        cure = "Read again: what this call may have leased comes back after its vt."
        return Unavailable(message, cure=cure, sqlstate=sqlstate, **fields)
    return InDoubt(message, sqlstate=sqlstate, **fields)


def callers_failure(
    error: psycopg.Error, call: Call[Any], connection: AnyConnection, *, in_transaction: bool
) -> PgQueueError:
    """Decide what an exception on the caller's connection means; that is never repeated.

    Inside a transaction the commit hadn't been sent yet, so a lost connection means rolled back.
    """
    if not is_dead(connection, error):
        return translate(error, call)
    rolled_back = in_transaction or proves_rollback(error.sqlstate)
    return lost(call, seen(error), rolled_back=rolled_back, sqlstate=error.sqlstate)


def is_in_transaction(connection: AnyConnection) -> bool:
    """Tell whether a statement sent now would be part of a transaction that stays open after it."""
    return not connection.autocommit or connection.info.transaction_status != TransactionStatus.IDLE


def is_usable(error: BaseException) -> bool:
    """Tell whether the connection may serve the next call after this error.

    Only the database's own errors leave it in a known state; an interrupt or a deadline doesn't.
    """
    return isinstance(error, psycopg.Error) and not must_drop(error)


def seen(error: psycopg.Error) -> str:
    """Say what was observed, without a verdict."""
    text = str(error).strip().partition("\n")[0]
    return f"{type(error).__name__} {error.sqlstate or 'without SQLSTATE'}: {text}"
