"""What is visible is read soon, as long as somebody is there to read; and work goes on where no fault is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.torture.verdict.chronicle import VT, Chronicle

A, B = "consumer-0.1", "consumer-1.1"
LONG = 10_100


@pytest.fixture
def chronicle() -> Chronicle:
    """B is there all the time."""
    made = Chronicle()
    made.pid(B)
    made.wait(VT)
    made.send("u1", 1)
    return made


def test_a_message_that_nobody_read_for_a_while(chronicle: Chronicle, tmp_path: Path) -> None:
    chronicle.wait(LONG).done(A, 1, 11)
    verdict = chronicle.finish().judged(tmp_path)
    assert verdict.violations == {"stuck": 1}
    assert verdict.report["cases"]["stuck"][0]["msg_id"] == 1
    assert verdict.report["cases"]["stuck"][0]["seconds"] == 10.1


def test_one_that_was_read_in_time(chronicle: Chronicle, tmp_path: Path) -> None:
    chronicle.wait(LONG - 200).done(A, 1, 11)
    verdict = chronicle.finish().judged(tmp_path)
    assert verdict.violations == {}
    assert verdict.report["figures"]["longest_wait_ms"] == 9901


def test_a_delayed_message_waits_from_its_time_on(tmp_path: Path) -> None:
    chronicle = Chronicle()
    chronicle.send("u1", 1, delay=LONG)
    chronicle.wait(LONG).done(A, 1, 11)
    assert chronicle.finish().judged(tmp_path).violations == {}


def test_a_redelivery_that_comes_late(chronicle: Chronicle, tmp_path: Path) -> None:
    chronicle.claim(A, 1, 11)
    chronicle.wait(VT + LONG).done(A, 1, 12, read_ct=2)
    assert chronicle.finish().judged(tmp_path).violations == {"stuck": 1}


def test_the_delay_of_a_redelivery_is_measured_from_the_end_of_the_lease(
    chronicle: Chronicle, tmp_path: Path
) -> None:
    chronicle.claim(A, 1, 11)
    chronicle.wait(VT + 500).done(A, 1, 12, read_ct=2)
    figures = chronicle.finish().judged(tmp_path).report["figures"]
    assert figures["redelivery_delay_ms"] == {"p50": 502.0, "p99": 502.0, "max": 502.0}


@pytest.mark.parametrize("verb", ["release", "retry"])
def test_what_is_given_back_is_visible_from_then_on(chronicle: Chronicle, tmp_path: Path, verb: str) -> None:
    chronicle.claim(A, 1, 11)
    chronicle.nack(A, 1, 11, verb, hide=3 * LONG)
    chronicle.wait(3 * LONG).done(A, 1, 12, read_ct=2)
    assert chronicle.finish().judged(tmp_path).violations == {}


def test_a_renewal_keeps_it_hidden(chronicle: Chronicle, tmp_path: Path) -> None:
    chronicle.claim(A, 1, 11)
    chronicle.extend(A, 1, 11, hide=2 * LONG)
    chronicle.wait(2 * LONG).done(A, 1, 12, read_ct=2)
    assert chronicle.finish().judged(tmp_path).violations == {}


@pytest.mark.parametrize(
    ("kind", "more", "found"),
    [
        ("server", {}, {}), ("pooler", {"of": "all"}, {}), ("connection", {"of": "consumers"}, {}),
        ("connection", {"of": "producers"}, {"stuck": 1}), ("load", {}, {"stuck": 1}),
    ],
)  # fmt: skip
def test_time_without_a_way_to_the_database_does_not_count(
    chronicle: Chronicle, tmp_path: Path, kind: str, more: dict[str, Any], found: dict[str, int]
) -> None:
    chronicle.fault("fault", kind, lasts=LONG, **more)
    chronicle.done(A, 1, 11)
    assert chronicle.finish().judged(tmp_path).violations == found


def test_on_a_log_an_open_transaction_holds_back_what_is_orphaned(tmp_path: Path) -> None:
    chronicle = Chronicle(kind="log")
    chronicle.send("u1", 1)
    chronicle.fault("long_writer", "load", lasts=LONG)
    chronicle.done(A, 1, 11)
    assert chronicle.finish().judged(tmp_path).violations == {}


def test_time_without_any_consumer_does_not_count(tmp_path: Path) -> None:
    chronicle = Chronicle()
    chronicle.send("u1", 1)
    chronicle.wait(LONG).done(A, 1, 11)
    assert chronicle.finish().judged(tmp_path).violations == {}


def test_a_worker_that_died_does_not_live_on_until_its_supervisor_is_killed(tmp_path: Path) -> None:
    chronicle = Chronicle()
    chronicle.send("u1", 1, "poison")
    chronicle.send("u2", 2)
    chronicle.claim(A, 1, 11)
    chronicle.lines[A][0]["ppid"] = chronicle.pid("supervisor-0.1")
    chronicle.run(A, 1, 11, end="")
    chronicle.unended.add(A)
    chronicle.wait(LONG).kill("supervisor-0.1")
    chronicle.done(B, 2, 12)
    chronicle.claim(B, 1, 13, read_ct=2)
    chronicle.bury(B, 1, 13)
    chronicle.dead(1)
    assert chronicle.finish().judged(tmp_path).violations == {}


def test_time_with_every_consumer_paused_does_not_count(chronicle: Chronicle, tmp_path: Path) -> None:
    chronicle.fault("pause_worker", "pause", B, lasts=LONG)
    chronicle.done(B, 1, 11)
    assert chronicle.finish().judged(tmp_path).violations == {}


def test_time_with_the_only_consumer_in_a_message_that_hangs_does_not_count(tmp_path: Path) -> None:
    chronicle = Chronicle()
    chronicle.send("u1", 1, "stale")
    chronicle.send("u2", 2)
    chronicle.claim(A, 1, 11)
    chronicle.run(A, 1, 11, end="")
    chronicle.wait(LONG)
    chronicle.kill(A)
    chronicle.done(B, 2, 12)
    chronicle.done(B, 1, 13, read_ct=2)
    assert chronicle.finish().judged(tmp_path).violations == {}


def test_time_with_one_of_two_paused_counts(chronicle: Chronicle, tmp_path: Path) -> None:
    chronicle.fault("pause_worker", "pause", A, lasts=LONG)
    chronicle.done(A, 1, 11)
    assert chronicle.finish().judged(tmp_path).violations == {"stuck": 1}


def test_a_claim_that_nobody_lived_to_write_down_hides_its_message(
    chronicle: Chronicle, tmp_path: Path
) -> None:
    chronicle.wait(LONG - 100).done(A, 1, 12, read_ct=2)
    assert chronicle.finish().judged(tmp_path).violations == {}


def test_nothing_settled_for_a_while_outside_of_faults(chronicle: Chronicle, tmp_path: Path) -> None:
    chronicle.config["liveness_us"] = 3_000_000
    chronicle.wait(3_100).done(A, 1, 11)
    verdict = chronicle.finish().judged(tmp_path)
    assert verdict.violations == {"no_progress": 1}
    assert verdict.report["figures"]["longest_gap_ms"] > 3_000


def test_nothing_settled_since_nothing_was_sent(chronicle: Chronicle, tmp_path: Path) -> None:
    chronicle.config["liveness_us"] = 3_000_000
    chronicle.done(A, 1, 11)
    chronicle.wait(10_000).send("u2", 2)
    chronicle.done(A, 2, 12)
    assert chronicle.finish().judged(tmp_path).violations == {}


def test_nothing_settled_since_nobody_was_left(tmp_path: Path) -> None:
    """A poison message took the only worker with it; that is no fault of the nemesis."""
    chronicle = Chronicle()
    chronicle.config["liveness_us"] = 3_000_000
    chronicle.send("u1", 1, "poison")
    chronicle.send("u2", 2)
    chronicle.claim(A, 1, 11)
    chronicle.run(A, 1, 11, end="")
    chronicle.unended.add(A)
    chronicle.wait(5_000).done(B, 2, 12)
    chronicle.claim(B, 1, 13, read_ct=2)
    chronicle.bury(B, 1, 13)
    chronicle.dead(1)
    assert chronicle.finish().judged(tmp_path).violations == {}


def test_nothing_settled_inside_of_a_fault(chronicle: Chronicle, tmp_path: Path) -> None:
    chronicle.config["liveness_us"] = 3_000_000
    chronicle.fault("kill_server", "server", lasts=5_000, loses_async=True)
    chronicle.done(A, 1, 11)
    verdict = chronicle.finish().judged(tmp_path)
    assert verdict.violations == {}
    assert verdict.report["figures"]["recovery_after_server_faults_ms"]["max"] < 10
