"""What a row of the table is: the promise, the play that tries it, and the mutants that must fail in it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tests_integration.fixtures.verbs import Kind
from tests_integration.mutants.planting import Mutant
from tests_integration.mutants.scene import Scene


@dataclass(frozen=True, slots=True)
class Guard:
    """`play` raises BrokenError if the promise does not hold. `rule`: its number under Invariants in docs/storage.md."""

    rule: int
    play: Callable[[Scene], None]
    mutants: tuple[Mutant, ...]
    kind: Kind = "log"

    @property
    def name(self) -> str:
        return f"{self.rule:02} {self.kind} {self.play.__name__.replace('_', ' ')}"
