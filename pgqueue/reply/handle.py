"""Waiting for a reply: by asking again and again, so it works through any pooler.

The sync and the async methods only wait differently.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field, replace
from typing import Any, Self

from pgqueue.call import Call
from pgqueue.db.target import in_transaction, run_on
from pgqueue.errors import ClientMisuse, ReplyFailed, ReplyTimeout
from pgqueue.message.rules import Seconds
from pgqueue.reply import calls
from pgqueue.reply.model import Reply, ReplyState, Requested
from pgqueue.reply.rules import check_timeout

FIRST_PAUSE, LONGEST_PAUSE, GROWTH = 0.01, 0.5, 1.5
LOOK_SECONDS = 1.0  # between two looks for a message that may have gone without a reply

_WHY = {
    ReplyState.EXPIRED: "its ttl was over before a reply came",
    ReplyState.UNKNOWN: "there is no such request: it was not committed, or it was forgotten after its ttl",
}


@dataclass(frozen=True, slots=True)
class Handle:
    """A request that was sent. Keep `reply_id` to ask from elsewhere: `Handle(reply_id, queue, msg_id, client)`."""

    reply_id: str
    queue: str
    msg_id: int
    target: Any = field(repr=False, compare=False)

    def on(self, target: Any) -> Self:
        """Return the handle on another client: after the commit of a transaction of yours in which you have sent."""
        return replace(self, target=target)

    def result(self, timeout: Seconds = 30.0) -> Any:
        """Wait for the reply and return what the handler returned. May be called again, also by others.

        Raises: ReplyTimeout; ReplyFailed when the message died, or is gone without a reply; ClientMisuse inside of your
        own transaction, for which nobody can reply before its commit.
        """
        wait = _Wait(self, timeout)
        while True:
            reply: Reply = run_on(self.target, wait.question())
            if reply.state is not ReplyState.WAITING:
                return _value(self, reply)
            time.sleep(wait.pause())

    async def result_async(self, timeout: Seconds = 30.0) -> Any:  # noqa: ASYNC109 - the database's answer, not a task, is waited for
        """Do the same for an async target."""
        wait = _Wait(self, timeout)
        while True:
            reply: Reply = await run_on(self.target, wait.question())
            if reply.state is not ReplyState.WAITING:
                return _value(self, reply)
            await asyncio.sleep(wait.pause())


def request(target: Any, call: Call[int], ttl: Seconds = calls.TTL) -> Handle:
    """Send a message, the call of a send, and return the handle to wait for its reply."""
    sent: Requested = run_on(target, calls.request(call, ttl))
    return Handle(sent.reply_id, call.queue or "", sent.msg_id, target)


async def request_async(target: Any, call: Call[int], ttl: Seconds = calls.TTL) -> Handle:
    """Do the same for an async target."""
    sent: Requested = await run_on(target, calls.request(call, ttl))
    return Handle(sent.reply_id, call.queue or "", sent.msg_id, target)


class _Wait:
    """Says what to ask next and how long to pause: short at first, then longer, the last time when the time is over."""

    def __init__(self, handle: Handle, timeout: Seconds) -> None:
        self._handle, self._seconds = handle, check_timeout(timeout)
        if in_transaction(handle.target):
            raise ClientMisuse(
                "this request may not be committed yet, and nobody can reply before",
                cure="Commit, then ask on a client of its own: `handle.on(client).result(timeout)`.",
            )
        self._until = time.monotonic() + self._seconds
        self._look_at = -1.0
        self._pause = FIRST_PAUSE

    def question(self) -> Call[Reply]:
        now = time.monotonic()
        look = now >= min(self._look_at, self._until)
        if look:
            self._look_at = now + LOOK_SECONDS
        return calls.get(self._handle.reply_id, look=look)

    def pause(self) -> float:
        """Return the seconds until the next question. Raises: ReplyTimeout when there is none."""
        left = self._until - time.monotonic()
        if left <= 0:
            raise ReplyTimeout(
                f"message {self._handle.msg_id} of queue {self._handle.queue} has no reply after {self._seconds:g} s",
                queue=self._handle.queue,
                msg_id=self._handle.msg_id,
            )
        pause, self._pause = min(self._pause, left), min(self._pause * GROWTH, LONGEST_PAUSE)
        return pause


def _value(handle: Handle, reply: Reply) -> Any:
    if reply.state is ReplyState.DONE:
        return reply.result
    why = _WHY.get(reply.state) or ": ".join(filter(None, (reply.reason, reply.error)))
    raise ReplyFailed(
        f"message {handle.msg_id} of queue {handle.queue} brought no result: {why}",
        reason=reply.reason or str(reply.state),
        error=reply.error,
        queue=handle.queue,
        msg_id=handle.msg_id,
    )
