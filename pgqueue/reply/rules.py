"""What a message's headers ask for when it ends, and what may be asked for. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from uuid import UUID

from pgqueue.call import Call
from pgqueue.errors import InvalidInput, PayloadError
from pgqueue.json_codec import decode, encode
from pgqueue.message.rules import Seconds
from pgqueue.queue.rules import check_name
from pgqueue.reply.model import (
    FOLLOWS_HEADER,
    MAX_RESULT_BYTES,
    ON_ERROR_HEADER,
    ON_SUCCESS_HEADER,
    REPLY_HEADER,
    RESULT_MARK,
    Follows,
    Sent,
)

MIN_TTL, MAX_TTL = 1.0, 31_622_400.0


def owes(headers: Any) -> bool:
    """Tell whether the ack of a message owes something: a reply, or another message. Never raises."""
    return isinstance(headers, dict) and (REPLY_HEADER in headers or ON_SUCCESS_HEADER in headers)


def queue_after(headers: Any) -> str | None:
    """Name the queue that gets a message when this one has succeeded; None for none. Never raises."""
    match headers.get(ON_SUCCESS_HEADER) if isinstance(headers, dict) else None:
        case {"queue": str(queue)}:
            try:
                return check_name(queue)
            except InvalidInput:
                return None
    return None


def follows_of(headers: Any, payload: Any) -> Follows | None:
    """Read which message this one was sent after; None for any other message. Never raises."""
    match headers.get(FOLLOWS_HEADER) if isinstance(headers, dict) else None:
        case {"queue": str(queue), "msg_id": int(msg_id), **told}:
            texts = [told.get(name) for name in ("reason", "error", "key", "scope")]
            return Follows(
                queue, msg_id, _result_in(payload), *[one if isinstance(one, str) else None for one in texts]
            )
    return None


def refuse_result_mark(kwargs: Mapping[str, Any]) -> None:
    """Refuse kwargs of a user that hold the mark of a result. Raises: InvalidInput."""
    if RESULT_MARK in kwargs:
        problem = f"the keyword argument {RESULT_MARK} is reserved"
        raise InvalidInput(problem, cure="Rename the argument.", argument=RESULT_MARK)


def result_text(value: object) -> str | None:
    """Return what a handler returned as JSON; None for None.

    Raises: PayloadError for what can't travel as JSON, or has over 1 MiB: a failure of the handler, to be found before
    its message is acked.
    """
    if value is None:
        return None
    text = encode(value)
    size = len(text.encode())
    if size > MAX_RESULT_BYTES:
        cure = "Store the result elsewhere and return a reference."
        problem = f"the result for a reply or a continuation has {size} bytes, at most {MAX_RESULT_BYTES}"
        raise PayloadError(problem, cure=cure, path="$")
    return text


def check_ttl(ttl: Seconds) -> float:
    """Return how long a reply is kept in seconds, 1 s .. 366 days."""
    return _seconds("ttl", ttl, MIN_TTL, MAX_TTL)


def check_timeout(timeout: Seconds) -> float:
    """Return how long to wait in seconds, 0 .. 366 days."""
    return _seconds("timeout", timeout, 0.0, MAX_TTL)


def check_reply_id(reply_id: object) -> str:
    """Return the id of a reply as text."""
    try:
        return str(UUID(str(reply_id)))
    except ValueError:
        raise InvalidInput(f"reply_id {reply_id!a} is no UUID", argument="reply_id") from None


def sent_by(call: object, label: str) -> Sent:
    """Take the call of a send apart, with continuations or without. Raises: InvalidInput for any other call."""
    if isinstance(call, Call) and call.queue is not None:
        if call.name == "message.send":
            message, headers, *rest = call.params
            chained: Any = (call.queue, message, headers, None, None, *rest)
            return Sent(*chained)
        if call.name == "reply.chain":
            message, on_success, on_error, headers, *rest = call.params
            chained = (call.queue, message, headers, on_success, on_error, *rest)
            return Sent(*chained)
    given = f"the call {call.name}" if isinstance(call, Call) else type(call).__name__
    cure = 'Pass task.call(...), or pgqueue.message.calls.send("queue", {...}).'
    raise InvalidInput(f"{label} must be the call of a send, not {given}", cure=cure, argument=label)


def continuation_text(call: Call[int], label: str) -> str:
    """Return a message to be sent later as the JSON that SQL takes. Raises: InvalidInput for one with a key or group_key."""
    sent = sent_by(call, label)
    if sent.key is not None or sent.group_key is not None:
        cure = "Leave them out: a continuation is sent once as it is, and takes no locks."
        raise InvalidInput(f"{label} is sent with a key or a group_key", cure=cure, argument=label)
    headers = {} if sent.headers is None else decode(sent.headers)
    for name, text in ((ON_SUCCESS_HEADER, sent.on_success), (ON_ERROR_HEADER, sent.on_error)):
        headers |= {} if text is None else {name: decode(text)}
    fields: dict[str, object] = {"queue": sent.queue, "message": decode(sent.message)}
    fields |= {"headers": headers} if headers else {}
    fields |= {"priority": sent.priority} if sent.priority else {}
    fields |= {"delay": sent.delay} if sent.delay else {}
    return encode(fields)


def _result_in(payload: Any) -> Any:
    match payload:
        case {"kwargs": {**kwargs}}:
            return kwargs.get(RESULT_MARK)
    return None


def _seconds(name: str, value: object, least: float, most: float) -> float:
    seconds = value.total_seconds() if isinstance(value, timedelta) else value
    if isinstance(seconds, bool) or not isinstance(seconds, (int, float)):
        problem = f"{name} must be seconds or a timedelta, not {type(value).__name__}"
        raise InvalidInput(problem, argument=name)
    if not least <= seconds <= most:  # false for NaN too
        raise InvalidInput(f"{name} can't be {seconds} s, allowed are {least} .. {most} s", argument=name)
    return float(seconds)
