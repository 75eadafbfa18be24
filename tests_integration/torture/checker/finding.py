"""What the checks hand in: violations by name, each with its evidence."""

from __future__ import annotations

from collections import Counter
from typing import Any

SHOWN = 10


class Findings:
    """Counts per verdict, and the first few cases of each."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.cases: dict[str, list[dict[str, Any]]] = {}

    def add(self, verdict: str, **evidence: object) -> None:
        self.counts[verdict] += 1
        cases = self.cases.setdefault(verdict, [])
        if len(cases) < SHOWN:
            cases.append(evidence)
