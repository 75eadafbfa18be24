"""The text of a failure: bounded, clean, without secrets, and made without trusting the exception."""

from __future__ import annotations

import traceback
from pathlib import Path
from types import TracebackType

from pgqueue.consumer.redaction import conceal
from pgqueue.message.rules import MAX_ERROR_BYTES, clean_error

FRAMES = 6
LONGEST_MESSAGE = 4_000
LONGEST_FRAME = 500
_CALLER = str(Path(__file__).with_name("execution.py"))


def describe(error: BaseException) -> str:
    """Return "Type: message" and the last lines of the traceback, at most 8 KiB.

    A `str()` that raises, is huge or holds control characters does no harm; values under secret-looking names
    and passwords are masked. Chained causes are left out.
    """
    text = f"{type(error).__name__}: {_message(error)}"[: LONGEST_MESSAGE + 200]
    if error.__traceback__ is not None:
        text += "\n" + "".join(_frames(error.__traceback__)).rstrip()
    return (clean_error(conceal(text[:MAX_ERROR_BYTES])) or "").strip()


def _message(error: BaseException) -> str:
    try:
        return str(error)[:LONGEST_MESSAGE]
    except BaseException as second:  # noqa: BLE001 - the exception is foreign code: whatever its str() does is survived
        return f"<str() raised {type(second).__name__}>"


def _frames(tb: TracebackType) -> list[str]:
    """Format the last frames only: a recursion of thousands costs six. The call of the handler is left out."""
    try:
        frames = traceback.extract_tb(tb, limit=-FRAMES)
        shown = traceback.format_list([frame for frame in frames if frame.filename != _CALLER])
    except Exception:  # noqa: BLE001 - a source file that can't be read must not hide the failure
        return []
    return [frame[:LONGEST_FRAME] for frame in shown]
