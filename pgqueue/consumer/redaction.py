"""Payloads and texts that may be logged or kept: secrets masked, size bounded."""

from __future__ import annotations

import re
from typing import Any

from pgqueue.message.rules import clean_error

SECRET_WORDS = (
    "authorization",
    "api-key",
    "api_key",
    "apikey",
    "token",
    "secret",
    "password",
    "passwd",
    "credential",
    "private_key",
)
MASK = "***"
DEEPEST = 6
LONGEST_VALUE = 200
MOST_ITEMS = 50
MOST_VALUES = 500

# What stands behind such a word in a text: a quoted string, the rest of the line behind a bracket, or one word.
# `input_value` is how pydantic quotes what it was given.
_NAMED = re.compile(
    rf"((?:{'|'.join(map(re.escape, SECRET_WORDS))}|input_value)[\w.-]{{0,64}}[\"']?\s{{0,8}}[:=]\s{{0,8}})"
    r"(\"(?:\\.|[^\"\\\n])*\"?|'(?:\\.|[^'\\\n])*'?|[\[{(][^\n]*|(?:bearer|basic|digest)\s+[^\s,;]+|[^\s,;&)}\]]+)",
    re.IGNORECASE,
)
_URL_PASSWORD = re.compile(r"(?<=://)([^:/@?\s]{0,255}):\S{0,255}@")


def redact(value: Any) -> Any:
    """Return a payload that may be logged: values under secret-looking names masked, what is bulky cut."""
    return _redact(value, 0, [MOST_VALUES])


def conceal(text: str) -> str:
    """Mask what a text shows under secret-looking names, and the passwords of DSNs in it."""
    return _NAMED.sub(rf"\1{MASK}", _URL_PASSWORD.sub(rf"\1:{MASK}@", text))


def _redact(value: Any, depth: int, left: list[int]) -> Any:
    left[0] -= 1
    if isinstance(value, (dict, list)):
        if depth >= DEEPEST or left[0] <= 0:
            return f"… ({len(value)} items)"
        return _redact_items(value, depth, left)
    if isinstance(value, str):
        shown = clean_error(conceal(value[:LONGEST_VALUE])) or ""
        return shown if len(value) <= LONGEST_VALUE else f"{shown}… ({len(value)} characters)"
    return value


def _redact_items(value: Any, depth: int, left: list[int]) -> Any:
    if isinstance(value, list):
        shown = [_redact(item, depth + 1, left) for item in value[:MOST_ITEMS] if left[0] > 0]
        return [*shown, f"… ({len(value)} items)"] if len(shown) < len(value) else shown
    named: dict[str, Any] = {}
    for name, item in value.items():
        if len(named) >= MOST_ITEMS or left[0] <= 0:
            named["…"] = f"({len(value)} items)"
            break
        named[str(name)[:LONGEST_VALUE]] = MASK if _is_secret(name) else _redact(item, depth + 1, left)
    return named


def _is_secret(name: Any) -> bool:
    lowered = str(name).lower()
    return any(word in lowered for word in SECRET_WORDS)
