"""Values of the reply room."""

from __future__ import annotations

from enum import StrEnum
from typing import Any, NamedTuple

# The keyword argument in which the task of an on_success gets the result of the message before it; SQL has the same name.
RESULT_MARK = "_pg_result"
REPLY_HEADER = "pgqueue-reply"
ON_SUCCESS_HEADER = "pgqueue-on-success"
ON_ERROR_HEADER = "pgqueue-on-error"
FOLLOWS_HEADER = "pgqueue-follows"

MAX_RESULT_BYTES = 1_048_576


class ReplyState(StrEnum):
    """How a request stands.

    FAILED: its message was buried, or is gone without a reply (reason `lost`). EXPIRED: its ttl is over. UNKNOWN: it is not
    committed, or was forgotten some time after its ttl.
    """

    WAITING = "waiting"
    DONE = "done"
    FAILED = "failed"
    EXPIRED = "expired"
    UNKNOWN = "unknown"


class Requested(NamedTuple):
    """What a request has sent. Whoever knows the reply_id may read the reply."""

    reply_id: str
    msg_id: int


class Reply(NamedTuple):
    """What became of a request. `reason` and `error` as in the dead letter of its message."""

    state: ReplyState
    reason: str | None
    error: str | None
    result: Any


class Follows(NamedTuple):
    """The message that this one was sent after. Its `result` after a success, of a task message only.

    After its death `reason`, and perhaps `error` (cut) and the stored identity.
    """

    queue: str
    msg_id: int
    result: Any = None
    reason: str | None = None
    error: str | None = None
    key: str | None = None
    scope: str | None = None


class Sent(NamedTuple):
    """What the call of a send would send; JSON as text."""

    queue: str
    message: str
    headers: str | None
    on_success: str | None
    on_error: str | None
    delay: float
    key: str | None
    group_key: str | None
    priority: int
