"""What can be read at a glance is understood; the limits are of the house."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts import sizes

ROOT = Path(__file__).resolve().parents[2]
TEST_FILE_LIMIT = 500


@pytest.mark.parametrize("room", ["pgqueue", "scripts", "benchmarks", "examples"])
def test_files_and_functions_are_short(room: str) -> None:
    assert [f for f in sizes.files(ROOT / room) if f[0] > sizes.FILE_LIMIT] == []
    assert [f for f in sizes.functions(ROOT / room) if f[0] > sizes.FUNCTION_LIMIT] == []


@pytest.mark.parametrize("lane", ["tests", "tests_integration"])
def test_test_files_are_not_endless(lane: str) -> None:
    assert [f for f in sizes.files(ROOT / lane) if f[0] > TEST_FILE_LIMIT] == []


def test_docstrings_are_not_counted_as_code(tmp_path: Path) -> None:
    source = tmp_path / "one.py"
    source.write_text('def one() -> int:\n    """First.\n\n    Second.\n    """\n    return 1\n')
    assert sizes.functions(tmp_path) == [(2, "one.py:one")]
