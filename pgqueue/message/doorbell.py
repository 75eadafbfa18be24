"""The call that wakes whoever waits for a message. A ring is a hint: one that is lost costs a poll interval."""

from __future__ import annotations

from functools import lru_cache

from pgqueue.call import Call, Repeat, scalar
from pgqueue.queue.rules import check_name


# One value a queue, since every send carries it.
@lru_cache(maxsize=1024)
def ring(queue: str) -> Call[bool]:
    """Wake who waits for a message, after the commit of what was sent; answers whether somebody did."""
    return Call(
        "message.ring",
        f"select * from pgqueue.ring__{check_name(queue)}()",
        (),
        scalar,
        repeat=Repeat.ALWAYS,
        queue=queue,
        may_commit_async=True,
    )
