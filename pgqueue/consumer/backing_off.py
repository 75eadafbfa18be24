"""How long to leave the database alone after it has failed."""

from __future__ import annotations

from collections.abc import Callable

FIRST, LONGEST = 0.5, 5.0


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
