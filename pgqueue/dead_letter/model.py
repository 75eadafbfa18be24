"""Values of the dead letter room."""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple


class DeadLetter(NamedTuple):
    """One row of `pgqueue.dead_letters`. `redriven_as` is the msg_id that it was sent again as.

    `broken` says why the payload couldn't be decoded; `message` and `headers` are then None.
    """

    queue: str
    msg_id: int
    reason: str
    error: str | None
    read_ct: int
    release_ct: int
    priority: int
    group_key: str | None
    enqueued_at: datetime
    last_read_at: datetime | None
    holder: str | None
    died_at: datetime
    redriven_as: int | None
    redriven_at: datetime | None
    message: Any
    headers: dict[str, Any] | None
    broken: str | None = None
