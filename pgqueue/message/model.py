"""Values of the message room."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple

from pgqueue.errors import PayloadError
from pgqueue.json_codec import decode


class Outcome(StrEnum):
    """What a settling verb did to one message.

    DONE: as asked. GONE: the message no longer waits in the queue. STALE: the receipt is no longer the
    lease's; nothing changed. BUSY: another transaction is settling it right now (set_vt_batch only).
    """

    DONE = "done"
    GONE = "gone"
    STALE = "stale"
    BUSY = "busy"


class Message(NamedTuple):
    """One claimed message.

    `read_ct` counts this claim too. `receipt` proves the lease (None from pop). `release_ct` counts the
    claims that were given back. `broken` says why the payload couldn't be decoded; `message` and `headers`
    are then None.
    """

    msg_id: int
    read_ct: int
    enqueued_at: datetime
    last_read_at: datetime | None
    vt: datetime
    message: Any
    headers: dict[str, Any] | None
    receipt: int | None
    release_ct: int
    priority: int
    group_key: str | None
    broken: str | None = None


class WaitingMessage(NamedTuple):
    """One row of `pgqueue.messages`, as peek shows it. Nothing is claimed by looking."""

    queue: str
    msg_id: int
    state: str
    read_ct: int
    release_ct: int
    priority: int
    group_key: str | None
    enqueued_at: datetime
    last_read_at: datetime | None
    vt: datetime
    holder: str | None
    error: str | None
    message: Any
    headers: dict[str, Any] | None
    broken: str | None = None


def decode_columns(texts: Sequence[str | None]) -> tuple[list[Any], str | None]:
    """Decode the JSON columns of one row: the values, and the reason when one of them can't be decoded.

    A hostile row costs itself only: its values come back as None, the rows beside it are untouched.
    """
    try:
        return [None if text is None else decode(text) for text in texts], None
    except PayloadError as error:
        return [None] * len(texts), error.message
