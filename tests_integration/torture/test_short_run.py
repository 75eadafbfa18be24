"""A short run of the real thing: its own server, real processes, real faults, the whole checker."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests_integration.torture.__main__ import REGRESSIONS, regression
from tests_integration.torture.checker.verdict import judge
from tests_integration.torture.run import run
from tests_integration.torture.schedule import Kind, make_schedule

SECONDS = 8
MINIMUM = 300


@pytest.mark.slow
@pytest.mark.timeout(120)
@pytest.mark.parametrize("kind", ["row", "log"])
def test_a_short_run_with_faults_keeps_every_promise(tmp_path: Path, kind: Kind) -> None:
    run(make_schedule(1, kind, "short", SECONDS), tmp_path / "run")
    report = judge(tmp_path / "run", minimum=MINIMUM)
    assert report["violations"] == {}, report["cases"]
    assert report["figures"]["redelivered"] > 0


def test_every_kept_seed_says_why_and_makes_a_schedule() -> None:
    for path in REGRESSIONS.glob("*.json"):
        assert [schedule.faults for schedule in regression(path)], path
        assert '"why"' in path.read_text(), path
