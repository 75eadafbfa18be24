"""Whatever a verb may be run on: a client, or a connection of the caller's."""

from __future__ import annotations

from typing import Any, TypeVar

from pgqueue.call import Call

T = TypeVar("T")


def run_on(target: Any, call: Call[T]) -> Any:
    """Run a call on a client, on `client.on(connection)`, or on a psycopg connection, whose transaction it joins.

    Returns the answer, an awaitable of it for an async target.
    """
    run = getattr(target, "run", None)
    if run is not None:
        return run(call)
    from pgqueue.db.runner import on_connection  # noqa: PLC0415 - psycopg is loaded only where a connection is used

    return on_connection(target).run(call)


def in_transaction(target: Any) -> bool:
    """Tell whether a call run now is part of a transaction of the caller's that stays open after it."""
    if hasattr(target, "run"):
        return bool(getattr(target, "in_transaction", False))
    from pgqueue.db.attempt import is_in_transaction  # noqa: PLC0415 - as above

    return is_in_transaction(target)
