"""The table of mutants fits the checker, the docs and the SQL that it breaks."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests_integration.torture.planted import patches
from tests_integration.torture.planted.table import MUTANTS, Mutant
from tests_integration.torture.verdict.findings import VIOLATIONS

ROOT = Path(__file__).resolve().parents[3]
SQL = ROOT / "sql" / "functions"
ROW = SQL / "18_row"


def test_every_mutant_is_documented_with_what_catches_it() -> None:
    text = (ROOT / "docs" / "torture.md").read_text().partition("## Mutants")[2]
    documented = re.findall(r"^\| `(\w+)`: (.*) \| `(\w+)` \|", text, re.MULTILINE)
    assert documented == [(mutant.name, mutant.what, *mutant.caught_by) for mutant in MUTANTS]


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_mutant_breaks_something_that_is_there(mutant: Mutant) -> None:
    assert set(mutant.caught_by) <= set(VIOLATIONS)
    assert not mutant.patch or callable(getattr(patches, mutant.patch))
    for change in mutant.changes:
        (source,) = (SQL if change.shared else ROW).rglob(f"{change.function}.sql")
        assert change.old in source.read_text()
        assert f"'pgqueue.{change.function}{'' if change.shared else '__{queue}'}'" in change.sql()
        assert mutant.kind == "row"
