"""What /metrics shows is what the reference says."""

from __future__ import annotations

import re
from pathlib import Path

from pgqueue.daemon.metrics import METRICS

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "metrics.md"


def test_every_metric_is_documented_with_its_labels_and_meaning() -> None:
    rows = [line.strip("| ").split(" | ") for line in PAGE.read_text().splitlines() if line.startswith("| `")]
    documented = [
        (name.strip("`"), tuple(re.findall(r"`(\w+)`", labels)), text) for name, labels, text in rows
    ]
    assert documented == [tuple(metric) for metric in METRICS]


def test_every_name_says_its_unit() -> None:
    unit = re.compile(
        r"pgqueue_(\w+_)?(total|seconds|seconds_total|bytes|workers|in_a_row|live|ready|running|waiting|unsettled)"
    )
    assert [metric.name for metric in METRICS if not unit.fullmatch(metric.name)] == []
