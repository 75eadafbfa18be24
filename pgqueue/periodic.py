"""For what is done again and again: how long to leave the database alone after it has failed."""

from __future__ import annotations

from collections.abc import Callable

from pgqueue.errors import (
    InDoubt,
    PermissionDenied,
    PgQueueError,
    QueueBusy,
    SchemaMismatch,
    Unavailable,
)

FIRST, LONGEST = 0.5, 5.0

_EVERYBODYS = (Unavailable, InDoubt, QueueBusy, PermissionDenied, SchemaMismatch)
# Connection, lost race, no room or memory, object in use, operator's hand, system. A cancelled statement (57014)
# isn't: a smaller one may be quick enough.
_CLASSES = frozenset({"08", "40", "53", "55", "57", "58"})
_CANCELLED = "57014"


def is_of_the_server(error: PgQueueError) -> bool:
    """Tell whether other calls would meet this error too: then waiting helps, and no message is to blame for it."""
    if isinstance(error, _EVERYBODYS):
        return True
    state = error.sqlstate or ""
    return state[:2] in _CLASSES and state != _CANCELLED


class Trouble:
    """0.5 s doubling to 5 s, each shortened by up to a half so that many workers don't come back at once."""

    def __init__(self, chance: Callable[[], float]) -> None:
        self._chance = chance
        self._plain = 0.0
        self.failures = 0

    @property
    def is_news(self) -> bool:
        """The first failure, and then about one a minute, is worth a line in the log."""
        return self.failures % 15 == 1

    def seen(self) -> float:
        """Note a failure and return the seconds to wait."""
        self.failures += 1
        self._plain = min(max(FIRST, 2 * self._plain), LONGEST)
        return self._plain * (1 - 0.5 * self._chance())

    def over(self) -> bool:
        """Note a success: the next failure starts from the beginning. Tell whether there was trouble."""
        was_trouble = self.failures > 0
        self._plain, self.failures = 0.0, 0
        return was_trouble
