"""What a handler can say instead of just returning: `Retry`, `Bury` or `Release`, raised or returned."""

from __future__ import annotations

from datetime import timedelta

from pgqueue.errors import InvalidInput
from pgqueue.message.rules import check_delay, check_text, clean_error

LONGEST_REASON = 200


class Answer(Exception):
    """Root of the answers. They are exceptions so that a handler can give one from deep inside."""


class Retry(Answer):
    """Run the message again later; counts as an attempt.

    `delay` is in seconds or a timedelta, 0 to 366 days; None takes the task's backoff. `reason` is kept with
    the message.
    """

    def __init__(self, delay: float | timedelta | None = None, reason: str | None = None) -> None:
        """Raise InvalidInput, which is then the failure of the handler, for what can't be sent later."""
        super().__init__(delay, reason)
        self.delay = None if delay is None else check_delay(delay)
        self.reason = clean_error(reason)


class Bury(Answer):
    """Never run the message again: it goes to the dead letters with this reason."""

    def __init__(self, reason: str, error: str | None = None) -> None:
        """`error` is the longer text that is kept beside the reason. Raises as `Retry` does."""
        super().__init__(reason, error)
        self.reason = _check_reason(reason)
        self.error = clean_error(error)


class Release(Answer):
    """Give the message back: it is shown again shortly. The first ten times don't count as attempts."""


def _check_reason(reason: object) -> str:
    text = check_text("reason", reason)
    if not 0 < len(text.strip()) <= LONGEST_REASON:
        raise InvalidInput(f"a reason to bury is a text of 1 to {LONGEST_REASON} characters")
    return text
