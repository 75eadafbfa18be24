"""What a message's headers and arguments say of a barrier, and the limits of what is armed. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from pgqueue.barrier.model import (
    CALLBACK_HEADER,
    PART_HEADER,
    TRANSPORT_MARK,
    CallbackOf,
    Options,
    Part,
    PartOf,
    Policy,
    Sending,
)
from pgqueue.call import Call
from pgqueue.errors import InvalidInput, PayloadError
from pgqueue.json_codec import encode
from pgqueue.message import rules
from pgqueue.queue.rules import check_name

MAX_PARTS = 1_000_000
MAX_RESULT_BYTES = 16_777_216
MAX_TEXT_BYTES = 255 * 1024 * 1024
MOST_RETRIES = 100
MAX_INT4, MAX_INT8 = 2**31 - 1, 2**63 - 1


def part_of(headers: Any) -> PartOf | None:
    """Read which part of a barrier a message is; None for any other message. Never raises."""
    match headers.get(PART_HEADER) if isinstance(headers, dict) else None:
        case {"barrier": str(key), "generation": int(generation), "part": int(part)} if (
            _is_generation(generation) and not isinstance(part, bool) and 0 <= part <= MAX_INT4
        ):
            return PartOf(key, generation, part)
    return None


def callback_of(headers: Any) -> CallbackOf | None:
    """Read which barrier sent a message at its end; None for any other message. Never raises."""
    match headers.get(CALLBACK_HEADER) if isinstance(headers, dict) else None:
        case {"barrier": str(key), "generation": int(generation)} if _is_generation(generation):
            return CallbackOf(key, generation)
    return None


def without_mark(kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """Return a copy of a task's kwargs as its handler may see them: without the transport mark."""
    return {name: value for name, value in kwargs.items() if name != TRANSPORT_MARK}


def refuse_mark(kwargs: Mapping[str, Any]) -> None:
    """Refuse kwargs of a user that hold the transport mark. Raises: InvalidInput."""
    if TRANSPORT_MARK in kwargs:
        problem = f"the keyword argument {TRANSPORT_MARK} is reserved"
        raise InvalidInput(problem, cure="Rename the argument.", argument=TRANSPORT_MARK)


def result_text(value: object) -> str | None:
    """Return what a handler returned as the JSON of its part's result; None for None.

    Raises: PayloadError for what can't travel as JSON, or has over 16 MiB: a failure of the handler, to be found before
    its message is acked.
    """
    if value is None:
        return None
    text = encode(value)
    size = len(text.encode())
    if size > MAX_RESULT_BYTES:
        cure = "Store the result elsewhere and return a reference."
        raise PayloadError(f"the result has {size} bytes, at most {MAX_RESULT_BYTES}", cure=cure, path="$")
    return text


def check_barrier_key(key: str) -> str:
    """Return the key of a barrier: 1 .. 255 bytes."""
    checked = rules.check_key("key", key)
    if checked is None:
        raise InvalidInput("key is None", cure="Name the barrier.", argument="key")
    return checked


def parts_text(parts: Sequence[Sending]) -> str:
    """Return the parts as the JSON array that SQL takes. Raises: InvalidInput, PayloadError."""
    given: object = parts
    if not isinstance(given, Sequence) or isinstance(given, (str, bytes)):
        raise InvalidInput(f"parts must be a list, not {type(given).__name__}", argument="parts")
    if len(parts) > MAX_PARTS:
        cure = "Give each part more to do."
        raise InvalidInput(f"{len(parts)} parts, at most {MAX_PARTS}", cure=cure, argument="parts")
    text = "[" + ",".join(sending_text(part, f"parts[{n}]") for n, part in enumerate(parts)) + "]"
    if len(text) > MAX_TEXT_BYTES:
        cure = "Arm with fewer, and let a part add the others with barrier.add."
        raise InvalidInput(f"the parts have {len(text)} characters of JSON", cure=cure, argument="parts")
    return text


def sending_text(sending: object, label: str) -> str:
    """Return one message to be sent as JSON: a `Part`, or the `Call` of a send without delay and key."""
    if isinstance(sending, Call):
        queue, message, headers, group_key, priority = _of_call(sending, label)
    elif isinstance(sending, Part):
        checked = rules.check_headers(sending.headers)
        queue, message = check_name(sending.queue), encode(sending.message)
        headers = None if checked is None else encode(checked)
        group_key = rules.check_key("group_key", sending.group_key)
        priority = rules.check_priority(sending.priority)
    else:
        problem = f"{label} must be a Part or the call of a send, not {type(sending).__name__}"
        raise InvalidInput(problem, cure='Pass Part("files", {...}) or task.call(...).', argument=label)
    fields = [f'"queue":"{queue}"', f'"message":{message}']
    fields += [] if headers is None else [f'"headers":{headers}']
    fields += [] if group_key is None else [f'"group_key":{encode(group_key)}']
    fields += [f'"priority":{priority}'] if priority else []
    return "{" + ",".join(fields) + "}"


def options_text(options: Options) -> str:
    """Return the options as the JSON object that SQL takes, each written out. Raises: InvalidInput."""
    if options.policy not in set(Policy):
        cure = f"Policies: {', '.join(Policy)}."
        raise InvalidInput(f"policy {options.policy!a} is unknown", cure=cure, argument="policy")
    plain = {
        "policy": str(options.policy),
        "deadline": _seconds("deadline", options.deadline, 1, 31_622_400),
        "stall_after": _seconds("stall_after", options.stall_after, 1, 31_622_400),
        "retries": _retries(options.retries),
        "retention": _seconds("retention", options.retention, 60, 3_153_600_000),
        "fire_empty": bool(options.fire_empty),
        "new_generation": bool(options.new_generation),
    }
    text = encode(plain)
    if options.on_failure is None:
        return text
    return f'{text[:-1]},"on_failure":{sending_text(options.on_failure, "on_failure")}}}'


def _is_generation(value: int) -> bool:
    """Tell whether the server takes this for one: a header that somebody invented must not spoil the call of others."""
    return not isinstance(value, bool) and 0 < value <= MAX_INT8


def _of_call(call: Call[int], label: str) -> tuple[str, str, str | None, str | None, int]:
    if call.name != "message.send":
        raise InvalidInput(
            f"{label} is the call {call.name}", cure="Pass the call of a send.", argument=label
        )
    message, headers, delay, key, group_key, priority = call.params
    if delay or key is not None:
        raise InvalidInput(f"{label} is sent with a delay or a key", cure="Leave both out.", argument=label)
    named: Any = (call.queue, message, headers, group_key, priority)
    checked: tuple[str, str, str | None, str | None, int] = named
    return checked


def _seconds(name: str, value: object, least: float, most: float) -> float:
    seconds = value.total_seconds() if isinstance(value, timedelta) else value
    if isinstance(seconds, bool) or not isinstance(seconds, (int, float)):
        problem = f"{name} must be seconds or a timedelta, not {type(value).__name__}"
        raise InvalidInput(problem, argument=name)
    if not least <= seconds <= most:  # false for NaN too
        raise InvalidInput(f"{name} can't be {seconds} s, allowed are {least} .. {most} s", argument=name)
    return float(seconds)


def _retries(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= MOST_RETRIES:
        raise InvalidInput(f"retries can't be {value!a}, allowed are 0 .. {MOST_RETRIES}", argument="retries")
    return value
