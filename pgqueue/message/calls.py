"""The verbs on messages, named as in SQL. Each returns a `Call`; nothing is sent until a runner runs it.

The calls use the queue's own static functions (`pgqueue.send__orders`): without the queue they don't exist.
Durations are seconds or timedelta. All raise InvalidInput or PayloadError before any round trip.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pgqueue.call import Call, Repeat, column, scalar
from pgqueue.errors import InvalidInput
from pgqueue.json_codec import MAX_DEPTH, encode
from pgqueue.message import rules
from pgqueue.message.doorbell import ring
from pgqueue.message.model import Message, WaitingMessage
from pgqueue.message.rows import messages_of, waiting_of
from pgqueue.message.rules import Seconds
from pgqueue.message.settle import (
    archive,
    archive_batch,
    bury,
    bury_batch,
    delete,
    delete_batch,
    release,
    release_batch,
    retry,
    retry_batch,
    set_vt,
    set_vt_batch,
)
from pgqueue.message.steps import begin_step
from pgqueue.queue.rules import check_name

__all__ = [
    "archive",
    "archive_batch",
    "begin_step",
    "bury",
    "bury_batch",
    "delete",
    "delete_batch",
    "peek",
    "pop",
    "read",
    "read_or_await",
    "release",
    "release_batch",
    "retry",
    "retry_batch",
    "ring",
    "send",
    "send_batch",
    "set_vt",
    "set_vt_batch",
]

# An array parameter of jsonb costs 25 us a message in the driver; the server takes one JSON array apart.
_JSON_ARRAY = "array(select nullif(value, 'null') from jsonb_array_elements(%s::jsonb))"
_MESSAGE_ARRAY = "array(select value from jsonb_array_elements(%s::jsonb))"
# jsonb can't hold a value above 256 MiB.
MAX_BATCH_BYTES = 255 * 1024 * 1024

_READ_COLUMNS = (
    "msg_id, read_ct, enqueued_at, last_read_at, vt, message::text, headers::text, receipt, release_ct, "
    "priority, group_key"
)
_READ_ARGUMENTS = "vt => make_interval(secs => %s), qty => %s, filter => %s::jsonb, holder => %s"
_PEEK_COLUMNS = (
    "queue, msg_id, state, read_ct, release_ct, priority, group_key, enqueued_at, last_read_at, vt, holder, "
    "error, message::text, headers::text"
)


def send(
    queue: str,
    message: object,
    *,
    headers: Mapping[str, object] | None = None,
    delay: Seconds = 0,
    key: str | None = None,
    group_key: str | None = None,
    priority: int = 0,
) -> Call[int]:
    """Send one message and return its msg_id; whoever waits for one is woken after the commit.

    `key` is an idempotency key: the same key within the queue's key_window returns the first msg_id, which
    makes the send safe to repeat. Raises: KeyBusy while another open transaction holds the key.
    """
    return Call(
        "message.send",
        # The columns are computed in this order: somebody who begins to wait after the insert is seen.
        f"select pgqueue.send__{check_name(queue)}(message => %s::jsonb, headers => %s::jsonb, "
        "delay => make_interval(secs => %s), key => %s, group_key => %s, priority => %s), "
        f"pgqueue.is_awaited__{queue}()",
        (
            encode(message),
            _headers_text(headers),
            rules.check_delay(delay),
            rules.check_key("key", key),
            rules.check_key("group_key", group_key),
            rules.check_priority(priority),
        ),
        scalar,
        repeat=Repeat.NEVER if key is None else Repeat.ALWAYS,
        queue=queue,
        after_commit=None if delay else ring(queue),
    )


def send_batch(
    queue: str,
    messages: Sequence[object],
    *,
    headers: Sequence[Mapping[str, object] | None] | None = None,
    delay: Seconds = 0,
    keys: Sequence[str | None] | None = None,
    group_keys: Sequence[str | None] | None = None,
    priority: int = 0,
) -> Call[list[int]]:
    """Send at most 10,000 messages, all or none, and return their ids in input order.

    `headers`, `keys` and `group_keys` are as long as `messages`. Safe to repeat when every message has a key.
    """
    rules.check_batch("messages", messages)
    for name, values in (("headers", headers), ("keys", keys), ("group_keys", group_keys)):
        if values is not None:
            rules.check_batch(name, values, length=len(messages))
    all_keyed = keys is not None and None not in keys
    return Call(
        "message.send_batch",
        # The subquery runs once, at the first row, when all are inserted.
        f"select *, (select pgqueue.is_awaited__{check_name(queue)}()) "
        f"from pgqueue.send_batch__{queue}(messages => {_MESSAGE_ARRAY}, "
        f"headers => {'%s::jsonb[]' if headers is None else _JSON_ARRAY}, "
        "delay => make_interval(secs => %s), keys => %s::text[], group_keys => %s::text[], priority => %s)",
        (
            _batch_text(messages),
            None
            if headers is None
            else encode([rules.check_headers(one) for one in headers], max_depth=MAX_DEPTH + 1),
            rules.check_delay(delay),
            _checked_keys("keys", keys),
            _checked_keys("group_keys", group_keys),
            rules.check_priority(priority),
        ),
        column,
        repeat=Repeat.ALWAYS if all_keyed else Repeat.NEVER,
        queue=queue,
        after_commit=None if delay else ring(queue),
    )


def read(
    queue: str,
    *,
    vt: Seconds | None = None,
    qty: int = 1,
    filter: Mapping[str, object] | None = None,  # noqa: A002 - the word of the SQL surface
    holder: str | None = None,
) -> Call[list[Message]]:
    """Lease up to `qty` (1 .. 1,000) visible messages, in claim order: priority, vt, msg_id.

    `vt` None takes the queue's own. `filter` keeps messages that contain it (jsonb `@>`). `holder` is kept
    with the lease for explain and dead letters. If the answer is lost, what was leased comes back after its
    vt.
    """
    return Call(
        "message.read",
        f"select {_READ_COLUMNS} from pgqueue.read__{check_name(queue)}({_READ_ARGUMENTS})",
        _read_params(vt, qty, filter, holder),
        messages_of,
        repeat=Repeat.IF_ROLLED_BACK,
        queue=queue,
        may_commit_async=True,
    )


def read_or_await(
    queue: str,
    wait: Seconds,
    *,
    vt: Seconds | None = None,
    qty: int = 1,
    filter: Mapping[str, object] | None = None,  # noqa: A002 - the word of the SQL surface
    holder: str | None = None,
) -> Call[list[Message]]:
    """Do as `read`; where nothing is found, senders ring for the next `wait` (over 0, at most 1 h).

    A ring is heard by a session that listens on the channel of the queue since before this call.
    """
    return Call(
        "message.read_or_await",
        f"select {_READ_COLUMNS} from pgqueue.read_or_await__{check_name(queue)}("
        f"{_READ_ARGUMENTS}, wait => make_interval(secs => %s))",
        (*_read_params(vt, qty, filter, holder), rules.check_wait(wait)),
        messages_of,
        repeat=Repeat.IF_ROLLED_BACK,
        queue=queue,
        may_commit_async=True,
    )


def pop(queue: str, *, qty: int = 1) -> Call[list[Message]]:
    """Take up to `qty` visible messages out of the queue at once: at most once, without a receipt.

    Never repeated: when the answer is lost, the messages may be lost with it, and the runner raises InDoubt.
    """
    return Call(
        "message.pop",
        f"select {_READ_COLUMNS} from pgqueue.pop__{check_name(queue)}(qty => %s)",
        (rules.check_qty(qty),),
        messages_of,
        queue=queue,
    )


def peek(
    queue: str, state: str | None = None, after_id: int = 0, qty: int = 20
) -> Call[list[WaitingMessage]]:
    """Look at waiting messages without leasing them, by msg_id; page on with `after_id`.

    `state` is one of ready, delayed, in_flight, retry; None shows all.
    """
    if state is not None and state not in ("ready", "delayed", "in_flight", "retry"):
        cure = "States: ready, delayed, in_flight, retry."
        raise InvalidInput(f"state {state!a} is unknown", cure=cure, argument="state")
    return Call(
        "message.peek",
        f"select {_PEEK_COLUMNS} from pgqueue.peek(queue => %s, state => %s, after_id => %s, qty => %s)",
        (check_name(queue), state, rules.check_id("after_id", after_id), rules.check_qty(qty)),
        waiting_of,
        repeat=Repeat.ALWAYS,
        queue=queue,
    )


def _read_params(
    vt: Seconds | None, qty: int, contains: Mapping[str, object] | None, holder: str | None
) -> tuple[object, ...]:
    return (
        None if vt is None else rules.check_vt(vt),
        rules.check_qty(qty),
        None if contains is None else encode(dict(contains)),
        rules.check_key("holder", holder),
    )


def _headers_text(headers: Mapping[str, object] | None) -> str | None:
    checked = rules.check_headers(headers)
    return None if checked is None else encode(checked)


def _batch_text(messages: Sequence[object]) -> str:
    text = encode(list(messages), max_depth=MAX_DEPTH + 1)
    if len(text) > MAX_BATCH_BYTES:
        problem = f"the batch has {len(text)} characters of JSON, at most {MAX_BATCH_BYTES}"
        raise InvalidInput(problem, cure="Split the batch.", argument="messages")
    return text


def _checked_keys(name: str, keys: Sequence[str | None] | None) -> list[str | None] | None:
    if keys is None:
        return None
    return [rules.check_key(f"{name}[{index}]", key) for index, key in enumerate(keys)]
