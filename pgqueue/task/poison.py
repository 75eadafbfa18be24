"""What a poison hook can say of a message that was handed out too often: `Handled`, `Hopeless` or `TryLater`."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from pgqueue.message.rules import check_delay
from pgqueue.task.signature import check_handler, refuse


class PoisonAnswer(Exception):
    """Root of the answers of a poison hook, returned or raised."""


class Handled(PoisonAnswer):
    """What is to be done about the message is done and confirmed: bury it."""


class Hopeless(PoisonAnswer):
    """Nothing can be done about it, and waiting doesn't help: bury it."""


class TryLater(PoisonAnswer):
    """Ask again later; what any exception of the hook means as well.

    `seconds` is seconds or a timedelta, 0 to 366 days; None takes the queue's `repark_seconds`. Past the queue's
    `repark_budget` the message is buried all the same, as unconfirmed.
    """

    def __init__(self, seconds: float | timedelta | None = None) -> None:
        """Raise InvalidInput for a delay outside the limits."""
        super().__init__(seconds)
        self.delay = None if seconds is None else check_delay(seconds)


@dataclass(frozen=True, slots=True)
class PoisonHook:
    """A function that is asked once for each read past `max_reads`, with the context of the message."""

    function: Callable[[Any], Any]
    is_async: bool


def read_hook(function: Callable[[Any], Any]) -> PoisonHook:
    """Check a hook at registration. Raises ConfigurationError, with file and line, for what can't be one."""
    check_handler(function, "on_poison")
    try:
        inspect.signature(function).bind(None)
    except TypeError:
        raise refuse(
            function, "can't take the context as its only argument", "Write `def on_poison(ctx)`."
        ) from None
    return PoisonHook(function, inspect.iscoroutinefunction(function))
