"""The page for people lists what the checker finds."""

from __future__ import annotations

import re
from pathlib import Path

from tests_integration.torture.verdict.findings import VIOLATIONS

PAGE = Path(__file__).resolve().parents[3] / "docs" / "torture.md"


def test_every_violation_is_documented() -> None:
    listed = re.findall(
        r"^\| `(\w+)` \|",
        PAGE.read_text().partition("## What is checked")[2].partition("\n## ")[0],
        re.MULTILINE,
    )
    assert sorted(listed) == sorted(VIOLATIONS)
