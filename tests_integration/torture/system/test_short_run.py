"""Twenty seconds of the real command under kills and a bad network, with the whole checker."""

from __future__ import annotations

import json
from pathlib import Path

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
    schedule = make_schedule(SEED, "kills+net", SECONDS, supervised=is_supervised())
    outcome = run(schedule, tmp_path / "run", at_least=MINIMUM)
    code = judge(tmp_path / "run", minimum=MINIMUM)
    report = json.loads((tmp_path / "run" / "report.json").read_text())
    assert (code, report["violations"]) == (0, {}), report["cases"]
    assert outcome.failures == []
    figures = report["figures"]
    assert figures["drained"] >= MINIMUM
    assert figures["faults_happened"] >= 0.95 * len(schedule.faults)
    assert figures["duplicates"] > 0
