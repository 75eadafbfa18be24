"""What an error of the driver means: is the connection dead, was it rolled back, which of our errors is it.

Decided by the connection's state and the SQLSTATE, never by class or text: psycopg's OperationalError also
covers deadlocks, timeouts and a full disk on a live connection, and 25P03 is an InternalError on a dead one.
"""

from __future__ import annotations

from typing import Any, Protocol

import psycopg

from pgqueue.call import Call
from pgqueue.errors import (
    BarrierLive,
    ClaimLost,
    ContinuationFailed,
    DatabaseError,
    InvalidInput,
    KeyBusy,
    NeedsRowKind,
    PartNotLive,
    PayloadError,
    PermissionDenied,
    PgQueueError,
    QueueBusy,
    QueueExists,
    QueueNotEmpty,
    QueueNotFound,
    SchemaMismatch,
    StaleReceipt,
    Unavailable,
)

# 57P02 is left out of the second: a crashing server sends it at any moment, also after the commit.
_CONNECTION_ENDED = frozenset({"57P01", "57P02", "57P03", "57P05", "25P03", "25P04"})
_ROLLED_BACK = frozenset({"57P01", "57P03", "57P05", "25P03", "25P04"})

_OURS: dict[str | None, type[PgQueueError]] = {
    "PQ001": QueueNotFound,
    "PQ002": InvalidInput,
    "PQ003": PayloadError,
    "PQ004": QueueExists,
    "PQ005": QueueNotEmpty,
    "PQ006": KeyBusy,
    "PQ007": StaleReceipt,
    "PQ008": NeedsRowKind,
    "PQ009": SchemaMismatch,
    "PQ010": QueueBusy,
    "PQ011": BarrierLive,
    "PQ012": PartNotLive,
    "PQ013": ClaimLost,
    "PQ014": ContinuationFailed,
}
_MISSING_FUNCTION, _MISSING_TABLE, _MISSING_SCHEMA = "42883", "42P01", "3F000"
_INTERNAL = "XX000"
_NO_LOCK, _NO_RIGHT, _READ_ONLY = "55P03", "42501", "25006"
# jsonb refused the text: NUL or a lone surrogate that came in as an escape
_BAD_JSON = frozenset({"22P02", "22P05"})

_CURES = {
    "40001": "Run the whole transaction again.",
    "40P01": "Run the whole transaction again.",
    "53100": "The server's disk is full: free space.",
    "53200": "The server is out of memory: try again later.",
    "53300": "The server has no connection left: use fewer, or a pooler.",
    "54000": "Send in smaller batches.",
    "57014": "The statement was cancelled or hit statement_timeout; it changed nothing.",
}

_ROLES = {
    "send": "producer",
    "send_batch": "producer",
    "arm": "producer",
    "add": "producer",
    "chain": "producer",
    "request": "producer",
    "missing": "observer",
    "peek": "observer",
    "list_queues": "observer",
    # asked by whoever consumes, before anything else
    "check_schema": "consumer",
    "maintain": "consumer",
} | dict.fromkeys(("metrics", "settings", "list"), "observer")

_ROOMS_OF_CONSUMERS = frozenset({"message", "barrier", "claim", "reply", "leadership", "reaper"})


class ConnectionState(Protocol):
    """The two flags of a psycopg connection that are asked after an error."""

    @property
    def closed(self) -> bool: ...

    @property
    def broken(self) -> bool: ...


def is_dead(connection: ConnectionState, error: BaseException) -> bool:
    """Tell whether the error means that this connection is lost, and with it perhaps the answer.

    Both must say so: the connection is closed or broken, and the SQLSTATE is one of a connection's end (08*,
    57P01-57P03, 57P05, 25P03, 25P04) or missing.
    """
    if not isinstance(error, psycopg.Error) or not (connection.closed or connection.broken):
        return False
    state = error.sqlstate
    return state is None or state.startswith("08") or state in _CONNECTION_ENDED


def proves_rollback(sqlstate: str | None) -> bool:
    """Tell whether the server itself said that it ended the session without committing the statement.

    08P01 is a pooler's word: it doesn't know what became of the statement.
    """
    return sqlstate in _ROLLED_BACK


def translate(error: psycopg.Error, call: Call[Any] | None = None) -> PgQueueError:
    """Turn an error on a live connection into ours, by its SQLSTATE."""
    state = error.sqlstate
    if state in _OURS:
        return _ours(error, _OURS[state], call)
    queue = call.queue if call else None
    if call is not None and queue is not None and _means_no_queue(error, call):
        return QueueNotFound(f'queue "{queue}" does not exist', sqlstate=state, queue=queue)
    if state in (_MISSING_SCHEMA, _MISSING_FUNCTION, _MISSING_TABLE):
        return SchemaMismatch(f"the schema pgqueue is missing or doesn't fit: {_text(error)}", sqlstate=state)
    if state == _NO_RIGHT:
        return _no_right(error, call)
    if state == _NO_LOCK:
        return QueueBusy(_text(error), sqlstate=state, queue=queue)
    if state == _READ_ONLY:
        cure = "Connect to the primary, for one with target_session_attrs=read-write."
        return Unavailable("this server takes no writes", cure=cure, sqlstate=state)
    if state in _BAD_JSON and call is not None and call.name.startswith("message.send"):
        return PayloadError(f"Postgres refused the payload: {_text(error)}", sqlstate=state, path="$")
    return DatabaseError(_text(error), cure=_CURES.get(state or ""), sqlstate=state, queue=queue)


def must_drop(error: BaseException) -> bool:
    """Tell whether a connection that still works must not be used again: its server has become read-only."""
    return isinstance(error, psycopg.Error) and error.sqlstate == _READ_ONLY


def _means_no_queue(error: psycopg.Error, call: Call[Any]) -> bool:
    # Without the queue its own functions don't exist; a table is gone when the queue was dropped under the
    # call, and a sequence whose drop the call has waited for has no SQLSTATE of its own. A dispatcher that
    # doesn't exist is a schema that doesn't fit.
    state = error.sqlstate
    if state == _INTERNAL:
        return _text(error).startswith("could not open relation with OID")
    return state == _MISSING_TABLE or (state == _MISSING_FUNCTION and f"__{call.queue}(" in call.sql)


def _ours(error: psycopg.Error, kind: type[PgQueueError], call: Call[Any] | None) -> PgQueueError:
    detail = error.diag.message_detail
    message = _text(error) + (f" ({detail})" if detail else "")
    fields: dict[str, object] = {}
    if call is not None and call.queue is not None:
        fields["queue"] = call.queue
    if kind is PayloadError:
        fields["path"] = (detail or "$").removeprefix("at ")
    return kind(message, cure=error.diag.message_hint, sqlstate=error.sqlstate, **fields)


def _no_right(error: psycopg.Error, call: Call[Any] | None) -> PermissionDenied:
    if call is None:
        return PermissionDenied(_text(error))
    room, _, verb = call.name.partition(".")
    role = _ROLES.get(verb, "consumer" if room in _ROOMS_OF_CONSUMERS else "operator")
    cure = f"Let an administrator run: grant pgqueue_{role} to <this user>;"
    return PermissionDenied(f"{call.name}: {_text(error)}", cure=cure, queue=call.queue)


def _text(error: psycopg.Error) -> str:
    return (error.diag.message_primary or str(error) or type(error).__name__).strip().rstrip(".")
