"""Some seconds of the real command under faults, with the whole checker."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests_integration.torture.system.__main__ import MINIMUM, judge
from tests_integration.torture.system.command import is_supervised
from tests_integration.torture.system.run import run
from tests_integration.torture.system.schedule import make_schedule

SEED = 1
SECONDS = 20


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_kills_and_a_bad_network_cost_nothing_but_redeliveries(tmp_path: Path) -> None:
    figures = play("kills+net", SECONDS, MINIMUM, tmp_path / "run")
    assert figures["drained"] >= MINIMUM
    assert figures["duplicates"] > 0


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_leaders_come_and_go_and_barriers_and_schedules_do_not_notice(tmp_path: Path) -> None:
    figures = play("leader", SECONDS // 2, MINIMUM // 10, tmp_path / "run")
    assert figures["barriers"]["done"] > 0
    assert figures["slots_fired"] > 0
    assert figures["elections"] > 1


def play(profile: str, seconds: float, minimum: int, folder: Path) -> dict[str, Any]:
    """Run a profile and let it be judged; return the figures."""
    schedule = make_schedule(SEED, profile, seconds, supervised=is_supervised())
    outcome = run(schedule, folder, at_least=minimum)
    code = judge(folder, minimum=minimum)
    report: dict[str, Any] = json.loads((folder / "report.json").read_text())
    assert (code, report["violations"]) == (0, {}), report["cases"]
    assert outcome.failures == []
    figures: dict[str, Any] = report["figures"]
    assert figures["faults_happened"] >= 0.95 * len(schedule.faults)
    return figures
