"""The verbs on requests and chains, named as in SQL. Each returns a `Call`; nothing is sent until a runner runs it.

They take sends as values: `task.call(...)`, or `pgqueue.message.calls.send(...)`. What a consumer calls is in `settle`.
"""

from __future__ import annotations

from typing import Any

from pgqueue.call import Call, Repeat, Rows, scalar
from pgqueue.errors import InvalidInput
from pgqueue.message.doorbell import ring
from pgqueue.message.model import decode_columns
from pgqueue.message.rules import Seconds
from pgqueue.queue.rules import check_name
from pgqueue.reply import rules
from pgqueue.reply.model import Reply, ReplyState, Requested, Sent

TTL = 3_600.0
MOST_ROWS = 10_000

_CHAIN = "pgqueue.chain(on_success => %s::jsonb, on_error => %s::jsonb, headers => %s::jsonb)"
_REST = "delay => make_interval(secs => %s), key => %s, group_key => %s, priority => %s"


def chain(
    call: Call[int], *, on_success: Call[int] | None = None, on_error: Call[int] | None = None
) -> Call[int]:
    """Return a send whose message is followed by others: when it has been acked, or when it has died.

    Each is sent in the transaction of that end. They may be chains themselves; together they have at most 12 KiB.
    Raises: InvalidInput, and when it is run QueueNotFound, also for a queue of a continuation.
    """
    sent = rules.sent_by(call, "call")
    if on_success is not None:
        sent = sent._replace(on_success=rules.continuation_text(on_success, "on_success"))
    if on_error is not None:
        sent = sent._replace(on_error=rules.continuation_text(on_error, "on_error"))
    queue = check_name(sent.queue)
    return Call(
        "reply.chain",
        # The columns are computed in this order: somebody who begins to wait after the insert is seen.
        f"select pgqueue.send__{queue}(message => %s::jsonb, headers => {_CHAIN}, {_REST}), "
        f"pgqueue.is_awaited__{queue}()",
        (sent.message, sent.on_success, sent.on_error, sent.headers, *_rest(sent)),
        scalar,
        repeat=Repeat.NEVER if sent.key is None else Repeat.ALWAYS,
        queue=queue,
        after_commit=None if sent.delay else ring(queue),
    )


def request(call: Call[int], ttl: Seconds = TTL) -> Call[Requested]:
    """Send a message that is replied to; the reply is kept for `ttl`, counted from now and again from the reply.

    With a key it is safe to repeat, and answers with the first request.
    """
    sent = rules.sent_by(call, "call")
    queue, is_chain = check_name(sent.queue), sent.on_success or sent.on_error
    return Call(
        "reply.request",
        f"select r.reply_id::text, r.msg_id, pgqueue.is_awaited__{queue}() from pgqueue.request(queue => %s, "
        "message => %s::jsonb, ttl => make_interval(secs => %s), "
        f"headers => {_CHAIN if is_chain else '%s::jsonb'}, {_REST}) r",
        (
            queue,
            sent.message,
            rules.check_ttl(ttl),
            *((sent.on_success, sent.on_error) if is_chain else ()),
            sent.headers,
            *_rest(sent),
        ),
        lambda rows: Requested(*rows[0][:2]),
        repeat=Repeat.NEVER if sent.key is None else Repeat.ALWAYS,
        queue=queue,
        after_commit=None if sent.delay else ring(queue),
    )


def get(reply_id: str, *, look: bool = True) -> Call[Reply]:
    """Ask how a request stands. With `look`, one whose message is gone without a reply fails as `lost`."""
    return Call(
        "reply.get",
        "select state, reason, error, result::text from pgqueue.get_reply(reply_id => %s::uuid, look => %s)",
        (rules.check_reply_id(reply_id), look),
        _reply_of,
        repeat=Repeat.ALWAYS,
    )


def forget(qty: int = MOST_ROWS) -> Call[int]:
    """Remove up to `qty` replies past their time; return how many."""
    given: Any = qty
    if isinstance(given, bool) or not isinstance(given, int) or not 1 <= qty <= MOST_ROWS:
        raise InvalidInput(f"qty can't be {qty!a}, allowed are 1 .. {MOST_ROWS}", argument="qty")
    return Call(
        "reply.forget",
        "select pgqueue.forget_replies(qty => %s)",
        (qty,),
        scalar,
        repeat=Repeat.ALWAYS,
    )


def _rest(sent: Sent) -> tuple[object, ...]:
    return (sent.delay, sent.key, sent.group_key, sent.priority)


def _reply_of(rows: Rows) -> Reply:
    state, reason, error, text = rows[0]
    (result,), broken = decode_columns([text])
    if broken is not None:
        state, reason, error = ReplyState.FAILED, "broken", broken
    plain: Any = result
    return Reply(ReplyState(state), reason, error, plain)
