"""What a handler can say instead of just returning: `Retry`, `Bury` or `Release`, raised or returned."""

from __future__ import annotations

import math
from datetime import timedelta

from pgqueue.errors import InvalidInput

LONGEST_DELAY = 366 * 86_400.0
LONGEST_REASON = 200


class Answer(Exception):
    """Root of the answers. They are exceptions so that a handler can give one from deep inside."""


class Retry(Answer):
    """Run the message again later; counts as an attempt.

    `delay` is in seconds or a timedelta, 0 to 366 days; None takes the task's backoff. `reason` is kept with
    the message.
    """

    def __init__(self, delay: float | timedelta | None = None, reason: str | None = None) -> None:
        """Raise InvalidInput, which is then the failure of the handler, for a delay outside the limits."""
        super().__init__(delay, reason)
        self.delay = None if delay is None else _seconds(delay)
        self.reason = reason


class Bury(Answer):
    """Never run the message again: it goes to the dead letters with this reason."""

    def __init__(self, reason: str, error: str | None = None) -> None:
        """`error` is the longer text that is kept beside the reason."""
        _check_reason(reason)
        super().__init__(reason, error)
        self.reason = reason
        self.error = error


class Release(Answer):
    """Give the message back: it is shown again shortly. The first ten times don't count as attempts."""


def _seconds(delay: object) -> float:
    if isinstance(delay, timedelta):
        seconds = delay.total_seconds()
    elif isinstance(delay, (int, float)) and not isinstance(delay, bool):
        seconds = float(delay)
    else:
        raise InvalidInput(f"a delay is a number of seconds or a timedelta, not {type(delay).__name__}")
    if not math.isfinite(seconds) or not 0 <= seconds <= LONGEST_DELAY:
        raise InvalidInput(f"a delay is 0 to {LONGEST_DELAY:.0f} seconds (366 days), not {seconds}")
    return seconds


def _check_reason(reason: object) -> None:
    if not isinstance(reason, str) or not 0 < len(reason.strip()) <= LONGEST_REASON or "\x00" in reason:
        raise InvalidInput(f"a reason to bury is a text of 1 to {LONGEST_REASON} characters")
