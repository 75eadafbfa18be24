"""The text of a failure: bounded, clean, and made without trusting the exception."""

from __future__ import annotations

import traceback
from pathlib import Path
from types import TracebackType
from typing import Any

from pgqueue.message.rules import MAX_ERROR_BYTES, clean_error

FRAMES = 6
LONGEST_MESSAGE = 4_000
SECRET_WORDS = ("authorization", "api-key", "api_key", "apikey", "token", "secret", "password")
MASK = "***"
_CALLER = str(Path(__file__).with_name("execution.py"))
DEEPEST = 6
LONGEST_VALUE = 200
MOST_ITEMS = 50


def describe(error: BaseException) -> str:
    """Return "Type: message" and the last lines of the traceback, at most 8 KiB.

    A `str()` that raises, is huge or holds control characters does no harm. Chained causes are left out.
    """
    text = f"{type(error).__name__}: {_message(error)}"[: LONGEST_MESSAGE + 200]
    if error.__traceback__ is not None:
        text += "\n" + "".join(_frames(error.__traceback__)).rstrip()
    return (clean_error(text[:MAX_ERROR_BYTES]) or "").strip()


def redact(value: Any, depth: int = 0) -> Any:
    """Return a payload that may be logged: values under secret-looking names masked, long ones cut."""
    if depth >= DEEPEST:
        return "…"
    if isinstance(value, dict):
        shown = list(value.items())[:MOST_ITEMS]
        return {
            str(name)[:LONGEST_VALUE]: MASK if _is_secret(name) else redact(item, depth + 1)
            for name, item in shown
        }
    if isinstance(value, (list, tuple)):
        return [redact(item, depth + 1) for item in value[:MOST_ITEMS]]
    if isinstance(value, str) and len(value) > LONGEST_VALUE:
        return f"{value[:LONGEST_VALUE]}… ({len(value)} characters)"
    return value


def _is_secret(name: Any) -> bool:
    lowered = str(name).lower()
    return any(word in lowered for word in SECRET_WORDS)


def _message(error: BaseException) -> str:
    try:
        return str(error)[:LONGEST_MESSAGE]
    except BaseException as second:  # noqa: BLE001 - the exception is foreign code: whatever its str() does is survived
        return f"<str() raised {type(second).__name__}>"


def _frames(tb: TracebackType) -> list[str]:
    """Format the last frames only: a recursion of thousands costs six. The call of the handler is left out."""
    try:
        frames = traceback.extract_tb(tb, limit=-FRAMES)
        return traceback.format_list([frame for frame in frames if frame.filename != _CALLER])
    except Exception:  # noqa: BLE001 - a source file that can't be read must not hide the failure
        return []
