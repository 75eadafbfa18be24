"""Limits of a verb's arguments, and the delay of a retry.

The limits are those of SQL: checked here, a bad argument costs no round trip.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import timedelta

from pgqueue.errors import InvalidInput
from pgqueue.queue.model import Backoff

Seconds = float | timedelta

MAX_QTY = 1_000
MAX_BATCH = 10_000
MAX_KEY_BYTES = 255
MAX_HEADERS = 64
MAX_HEADER_BYTES = 16_384
MAX_ERROR_BYTES = 8_192
MAX_DELAY = 366 * 86_400.0
MIN_VT, MAX_VT = 0.1, 86_400.0
MIN_WAIT, MAX_WAIT = 0.001, 3_600.0
RESERVED_PREFIX = "pgqueue-"
IDENTITY_HEADERS = frozenset({"pgqueue-key", "pgqueue-scope"})

# Control characters that would garble a log or a terminal; tab and newline stay.
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")


def check_qty(qty: int) -> int:
    """Return how many messages to claim, 1 .. 1,000."""
    return _check_int("qty", qty, 1, MAX_QTY)


def check_priority(priority: int) -> int:
    """Return the priority, 0 .. 9; higher is read first."""
    return _check_int("priority", priority, 0, 9)


def check_id(name: str, value: int) -> int:
    """Return a msg_id or a receipt: any 64-bit integer."""
    return _check_int(name, value, -(2**63), 2**63 - 1)


def check_ids(name: str, values: Sequence[int]) -> list[int]:
    """Do the same for many."""
    ids = list(values)
    if set(map(type, ids)) == {int} and min(ids) >= -(2**63) and max(ids) < 2**63:
        return ids
    return [check_id(name, value) for value in ids]


def check_vt(vt: Seconds) -> float:
    """Return a visibility timeout in seconds, 0.1 s .. 24 h."""
    return _check_seconds("vt", vt, MIN_VT, MAX_VT)


def check_delay(delay: Seconds) -> float:
    """Return a delay in seconds, 0 .. 366 days."""
    return _check_seconds("delay", delay, 0.0, MAX_DELAY)


def check_wait(wait: Seconds) -> float:
    """Return how long senders ring for a waiter in seconds, 1 ms .. 1 h."""
    return _check_seconds("wait", wait, MIN_WAIT, MAX_WAIT)


def check_key(name: str, value: str | None) -> str | None:
    """Return a key, group_key or holder: 1 .. 255 bytes of UTF-8 without NUL, or None."""
    if value is None:
        return None
    size = len(check_text(name, value).encode())
    if not 1 <= size <= MAX_KEY_BYTES:
        raise InvalidInput(f"{name} has {size} bytes, allowed are 1 .. {MAX_KEY_BYTES}", argument=name)
    return value


def check_text(name: str, value: object) -> str:
    """Return a str that Postgres can store: no NUL, no lone surrogate."""
    if not isinstance(value, str):
        raise InvalidInput(f"{name} must be a str, not {type(value).__name__}", argument=name)
    try:
        value.encode()
    except UnicodeEncodeError:
        raise InvalidInput(f"{name} holds a lone surrogate", argument=name) from None
    if "\0" in value:
        raise InvalidInput(f"{name} holds a NUL character", argument=name)
    return value


def check_headers(headers: object) -> dict[str, object] | None:
    """Return the headers as a dict, or None. At most 64; names with `pgqueue-` belong to the library."""
    if headers is None:
        return None
    if not isinstance(headers, Mapping):
        problem = f"headers must be a mapping, not {type(headers).__name__}"
        raise InvalidInput(problem, cure='Send {"name": value}.', argument="headers")
    if len(headers) > MAX_HEADERS:
        cure = "Put large data into the message."
        raise InvalidInput(f"{len(headers)} headers, at most {MAX_HEADERS}", cure=cure, argument="headers")
    for name in headers:
        if isinstance(name, str) and name.startswith(RESERVED_PREFIX) and name not in IDENTITY_HEADERS:
            cure = f"Names that start with {RESERVED_PREFIX} belong to the library."
            raise InvalidInput(f"header {name!a} is reserved", cure=cure, argument="headers")
    return dict(headers)


def check_batch(name: str, values: object, *, length: int | None = None) -> None:
    """Check the size of a batch argument, and that it is as long as the batch."""
    if not isinstance(values, Sequence) or isinstance(values, (str, bytes)):
        raise InvalidInput(f"{name} must be a list, not {type(values).__name__}", argument=name)
    if len(values) > MAX_BATCH:
        raise InvalidInput(
            f"{name} has {len(values)} elements, at most {MAX_BATCH}", cure="Split the batch.", argument=name
        )
    if length is not None and len(values) != length:
        problem = f"{name} has {len(values)} elements for {length} messages"
        raise InvalidInput(problem, cure="Pass one a message.", argument=name)


def clean_error(text: object) -> str | None:
    """Make an error text fit for storing: control characters replaced, cut to 8 KiB."""
    if text is None:
        return None
    if not isinstance(text, str):
        problem = f"error must be a str, not {type(text).__name__}"
        raise InvalidInput(problem, cure="Pass str(error).", argument="error")
    cleaned = _CONTROL.sub("\N{REPLACEMENT CHARACTER}", text[: MAX_ERROR_BYTES + 1])
    data = cleaned.encode()
    if len(data) <= MAX_ERROR_BYTES:
        return cleaned
    return data[: MAX_ERROR_BYTES - 3].decode(errors="ignore") + "…"


def backoff_delay(backoff: Backoff, failures: int, chance: float) -> float:
    """Return the seconds that a message waits after its n-th failure.

    `chance` is a random number 0 .. 1 that spreads the delay by `jitter` to both sides; the cap always holds.
    """
    exponent = max(0, failures - 1)
    # factor ** exponent overflows a float near 2 ** 1024; far below that, any cap is reached.
    plain = backoff.base * backoff.factor ** min(exponent, 150)
    spread = 1 + backoff.jitter * (2 * chance - 1)
    return min(backoff.cap, min(backoff.cap, plain) * spread)


def _check_int(name: str, value: object, least: int, most: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise InvalidInput(f"{name} must be an int, not {type(value).__name__}", argument=name)
    if not least <= value <= most:
        raise InvalidInput(f"{name} can't be {value}, allowed are {least} .. {most}", argument=name)
    return value


def _check_seconds(name: str, value: object, least: float, most: float) -> float:
    if isinstance(value, timedelta):
        value = value.total_seconds()
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        problem = f"{name} must be seconds or a timedelta, not {type(value).__name__}"
        raise InvalidInput(problem, argument=name)
    if not least <= value <= most:  # false for NaN too
        raise InvalidInput(
            f"{name} can't be {value} s, allowed are {least:g} .. {most:.10g} s", argument=name
        )
    return float(value)
