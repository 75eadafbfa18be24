"""What a part of the benchmark is asked to do."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Self, TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Plan:
    """The options of one run. `systems` are names, in the order of the part's own list; `options` its own ones."""

    rounds: int
    seconds: float
    systems: tuple[str, ...]
    full: bool = False
    dsn: str | None = None
    options: dict[str, str] = field(default_factory=dict)

    def option(self, name: str, default: str) -> str:
        return self.options.get(name, default)

    def but(self, **changes: object) -> Plan:
        return replace(self, **changes)  # type: ignore[arg-type]

    def chosen(self, known: Sequence[T]) -> list[T]:
        """The systems of `known`, things with a name, that this run is for."""
        return [system for system in known if getattr(system, "name", system) in self.systems]


def turned(systems: Sequence[T], number: int) -> list[T]:
    """Let another system go first in each round."""
    if not systems:
        return []
    place = number % len(systems)
    return [*systems[place:], *systems[:place]]


class Steps:
    """Progress on stderr, a line of its own where stderr is no terminal."""

    def __init__(self, part: str, total: int) -> None:
        self._part = part
        self._console = Console(stderr=True)
        columns = (
            TextColumn("{task.description:<48}"),
            BarColumn(20),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
        )
        self._progress = Progress(*columns, console=self._console, disable=not self._console.is_terminal)
        self._task = self._progress.add_task(part, total=total)
        self._done, self._total = 0, total

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def say(self, text: str) -> None:
        """Print a line that stays."""
        self._console.print(text, highlight=False, markup=False)

    def step(self, what: str) -> None:
        """Say what begins now."""
        self._progress.update(self._task, description=f"{self._part}: {what}", completed=self._done)
        if not self._console.is_terminal:
            self._console.print(f"{self._part} {self._done + 1}/{self._total}: {what}", highlight=False)
        self._done += 1


def rounds_of(plan: Plan, systems: Sequence[T]) -> Iterator[tuple[int, T]]:
    """Each round's number with each system in its turn."""
    for number in range(1, plan.rounds + 1):
        for system in turned(systems, number):
            yield number, system
