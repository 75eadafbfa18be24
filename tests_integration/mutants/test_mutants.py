"""Each guard of the log keeps its promise, and each mutant without it breaks that promise in the same play.

A guard whose mutant is not caught is no guard: either its play proves nothing, or the SQL does not need it.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests_integration.fixtures.database import Database
from tests_integration.mutants.guards import Guard
from tests_integration.mutants.planting import Mutant
from tests_integration.mutants.scene import BrokenError, Scene
from tests_integration.mutants.table import CASES, GUARDS

DOCS = Path(__file__).parents[2] / "docs" / "storage.md"


def test_every_rule_that_is_tried_is_in_the_docs() -> None:
    _, _, invariants = DOCS.read_text().partition("## Invariants")
    rules = re.findall(r"^\| (\d+) \|.*`mutants`[^|]*\|$", invariants, re.MULTILINE)
    assert sorted(map(int, rules)) == sorted({guard.rule for guard in GUARDS})


@pytest.mark.parametrize("guard", GUARDS, ids=lambda guard: guard.name)
def test_the_shipped_sql_keeps_the_promise(guard: Guard, database: Database) -> None:
    guard.play(Scene(database, guard.kind))


@pytest.mark.parametrize(
    ("guard", "planted"), CASES, ids=[f"{guard.name} - {planted.name}" for guard, planted in CASES]
)
def test_the_mutant_is_caught(guard: Guard, planted: Mutant, database: Database) -> None:
    scene = Scene(database, guard.kind, planted)
    with pytest.raises(BrokenError):
        guard.play(scene)
