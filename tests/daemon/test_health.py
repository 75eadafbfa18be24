from __future__ import annotations

import json
import sys
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from pgqueue.consumer.record import ENDED, WAITING
from pgqueue.consumer.report import QueueCounts
from pgqueue.daemon import metrics
from pgqueue.daemon.health import answer
from pgqueue.daemon.model import FleetCounts, FleetView, Leaving
from tests.daemon.conftest import beat, row, view

BUSY = FleetView(
    taken_at=100.0,
    workers=[
        view(
            row(1, since=90.0), row(2, state=WAITING), row(3, state=ENDED),
            beat=beat(queues={"orders": QueueCounts(5, 4, 2.5, 1, {"delete": 3})}, resident_bytes=1 << 20),
        ),
        view(number=0, leaving=Leaving.RECYCLED, beat=beat(queues={"orders": QueueCounts(1, 1, 0.5, 0, {"delete": 1})})),
    ],
    crashes=[1],
    counts=FleetCounts(
        deaths={"crashed": 2},
        retired={"orders": QueueCounts(100, 100, 7.0, 0, {"delete": 90, "retry": 10})},
        settled_for_dead={("orders", "retry"): 1},
        renewed_for_silent={"orders": 6},
    ),
)  # fmt: skip


def body(path: str, seen: FleetView, now: float = 100.0) -> Any:
    return json.loads(answer(path, seen, now).body)


@pytest.mark.parametrize("path", ["/livez", "/healthz", "/livez?verbose=1"])
def test_life_is_told_in_json_with_each_worker(path: str) -> None:
    assert answer(path, BUSY, 100.0).status == 200
    told = body(path, BUSY)
    assert (told["status"], told["check"], told["problems"]) == ("healthy", "livez", [])
    assert told["workers"][0]["running"] == told["workers"][0]["waiting"] == 1
    assert told["workers"][0]["longest_run_seconds"] == 10


def test_problem_is_503_and_told_in_words() -> None:
    stuck = FleetView(taken_at=100.0, workers=[view(row(7, since=30.0))], crashes=[0])
    assert answer("/livez", stuck, 100.0).status == 503
    assert "message 7 of queue orders has run for 70.0 s" in body("/livez", stuck)["problems"][0]
    assert answer("/readyz", FleetView(taken_at=100.0), 100.0).status == 503


@pytest.mark.parametrize(
    "path", ["/", "/livez/", "/livezz", "//livez", "/metrics/x", "", "*", "http://x/livez"]
)
def test_other_paths_are_not_found(path: str) -> None:
    assert answer(path, BUSY, 100.0).status == 404


def shown(seen: FleetView) -> dict[tuple[str, ...], float]:
    text = answer("/metrics", seen, 100.0).body.decode()
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_counters_add_up_all_processes_also_those_that_are_gone() -> None:
    found = shown(BUSY)
    assert found["pgqueue_messages_handled_total", "orders"] == 105
    assert found["pgqueue_messages_settled_total", "orders", "delete"] == 94
    assert found["pgqueue_handler_seconds_total", "orders"] == 10
    assert found["pgqueue_messages_running", "orders"] == 1
    assert found["pgqueue_messages_unsettled", "orders"] == 1
    assert found["pgqueue_longest_run_seconds", "orders"] == 10
    assert found["pgqueue_worker_ends_total", "crashed"] == 2
    assert found["pgqueue_leases_renewed_for_silent_workers_total", "orders"] == 6
    assert found["pgqueue_worker_resident_bytes", "0"] == 1 << 20


def test_a_busy_fleet_shows_every_metric_that_is_documented() -> None:
    assert {name for name, *_ in shown(BUSY)} == {metric.name for metric in metrics.METRICS}


def test_an_idle_fleet_can_be_shown() -> None:
    assert shown(FleetView(taken_at=100.0))["pgqueue_ready",] == 0


def test_without_the_extra_metrics_say_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "pgqueue.daemon.metrics")
    monkeypatch.delattr("pgqueue.daemon.metrics")
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    told = answer("/metrics", BUSY, 100.0)
    assert told.status == 501
    assert b"pip install 'pgqueue-engine[metrics]'" in told.body
