"""The progress clock: a worker that lives, and whose reads nobody answers, is not healthy."""

from __future__ import annotations

import time
import urllib.error
import urllib.request

import pytest

from tests_integration.faults.conftest import FindPlace, StartWorker
from tests_integration.faults.troubles import TROUBLES
from tests_integration.fixtures.waiting import eventually

HEALTH_STALE, CALL_TIMEOUT, BEAT = 3.0, 1.0, 1.0


def status(port: int, probe: str) -> int:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/{probe}", timeout=5) as answer:
            code: int = answer.status
            return code
    except urllib.error.HTTPError as refused:
        with refused:
            return refused.code


@pytest.mark.parametrize("name", ["links half-open", "disk full", "server stopped"])
def test_livez_turns_red_while_no_read_is_answered_and_green_again_by_itself(
    name: str, place: FindPlace, start: StartWorker
) -> None:
    trouble = TROUBLES[name]
    there = place(trouble.through)
    worker = start(there.dsn, vt=1, health_stale=HEALTH_STALE, call_timeout=CALL_TIMEOUT, port=0)
    (opened,) = worker.wait_for("health.opened")
    port = opened["port"]
    worker.wait_for("consumer.started")
    eventually(lambda: status(port, "readyz") == 200)
    assert status(port, "livez") == 200
    with trouble.begin(there):
        began = time.monotonic()
        eventually(lambda: status(port, "livez") == 503, HEALTH_STALE + 10)
        took = time.monotonic() - began
        eventually(lambda: status(port, "readyz") == 503, 10)
        assert took >= HEALTH_STALE - BEAT, "too early: a short trouble is no reason to be restarted"
        assert took <= HEALTH_STALE + 2 * CALL_TIMEOUT + 2 * BEAT + 2
    eventually(lambda: status(port, "livez") == 200, 15)
    eventually(lambda: status(port, "readyz") == 200)
    assert len(worker.events("worker.started")) == 1, (
        "nobody was replaced: another process would do no better"
    )
    worker.terminate()
    assert worker.end() == 0, worker.output
