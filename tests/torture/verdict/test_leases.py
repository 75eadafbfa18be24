"""Leases of one message never overlap; nothing is seen before the time that it was hidden until."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.torture.verdict.chronicle import VT, Chronicle

A, B = "consumer-0.1", "consumer-1.1"


def judged(chronicle: Chronicle, folder: Path) -> dict[str, int]:
    """Let B finish message 1, so that only what went before counts."""
    chronicle.run(B, 1, 12, read_ct=2)
    chronicle.ack(B, 1, 12)
    return chronicle.finish().judged(folder).violations


def test_a_second_lease_before_the_end_of_the_first_is_an_overlap(
    chronicle: Chronicle, tmp_path: Path
) -> None:
    chronicle.claim(A, 1, 11)
    chronicle.wait(VT - 100).claim(B, 1, 12, read_ct=2)
    chronicle.run(B, 1, 12, read_ct=2)
    chronicle.ack(B, 1, 12)
    verdict = chronicle.finish().judged(tmp_path)
    assert verdict.violations == {"overlap": 1}
    case = verdict.report["cases"]["overlap"][0]
    assert (case["msg_id"], case["receipts"], case["claim"]) == (1, [11, 12], "durable")
    assert case["too_early_us"] == 98_000
    assert [line.split(":")[0] for line in case["lines"]] == [f"history-{p}.jsonl" for p in (A, B)]


def test_a_second_lease_after_the_first_is_fine(chronicle: Chronicle, tmp_path: Path) -> None:
    chronicle.claim(A, 1, 11)
    chronicle.wait(VT).claim(B, 1, 12, read_ct=2)
    assert judged(chronicle, tmp_path) == {}


@pytest.mark.parametrize("verb", ["release", "retry"])
def test_what_was_given_back_may_be_read_at_once(chronicle: Chronicle, tmp_path: Path, verb: str) -> None:
    chronicle.claim(A, 1, 11)
    chronicle.nack(A, 1, 11, verb)
    chronicle.claim(B, 1, 12, read_ct=2)
    assert judged(chronicle, tmp_path) == {}


def test_what_was_retried_with_a_delay_may_not_be_read_before(chronicle: Chronicle, tmp_path: Path) -> None:
    chronicle.claim(A, 1, 11)
    chronicle.nack(A, 1, 11, hide=VT)
    chronicle.wait(VT // 2).claim(B, 1, 12, read_ct=2)
    assert judged(chronicle, tmp_path) == {"overlap": 1}


def test_a_renewed_lease_counts_from_the_renewal(chronicle: Chronicle, tmp_path: Path) -> None:
    chronicle.claim(A, 1, 11)
    chronicle.wait(VT // 2).extend(A, 1, 11)
    chronicle.wait(VT - 100).claim(B, 1, 12, read_ct=2)
    assert judged(chronicle, tmp_path) == {"overlap": 1}


@pytest.mark.parametrize(
    ("end", "outcome"), [("info", "done"), ("ok", "busy"), ("ok", "stale"), ("fail", "done")]
)
def test_a_renewal_that_may_not_have_happened_doesnt_count(
    chronicle: Chronicle, tmp_path: Path, end: str, outcome: str
) -> None:
    chronicle.claim(A, 1, 11)
    chronicle.wait(VT // 2).extend(A, 1, 11, end=end, outcome=outcome)
    chronicle.wait(VT - 100).claim(B, 1, 12, read_ct=2)
    assert judged(chronicle, tmp_path) == {}


def test_an_asynchronous_claim_lost_in_a_crash_is_counted_apart(chronicle: Chronicle, tmp_path: Path) -> None:
    chronicle.claim(A, 1, 11, commit="async")
    chronicle.fault("kill_server", "server", loses_async=True)
    chronicle.claim(B, 1, 12)
    chronicle.run(B, 1, 12)
    chronicle.ack(B, 1, 12)
    verdict = chronicle.finish().judged(tmp_path)
    assert verdict.violations == {}
    assert verdict.report["figures"]["overlaps_excused"] == {"asynchronous claim lost in a crash": 1}


def test_a_durable_claim_is_not_lost_in_a_crash(chronicle: Chronicle, tmp_path: Path) -> None:
    chronicle.claim(A, 1, 11)
    chronicle.fault("kill_server", "server", loses_async=True)
    chronicle.claim(B, 1, 12, read_ct=2)
    assert judged(chronicle, tmp_path) == {"overlap": 1}


def test_the_same_receipt_twice_is_an_overlap(chronicle: Chronicle, tmp_path: Path) -> None:
    chronicle.claim(A, 1, 12)
    chronicle.wait(VT).claim(B, 1, 12, read_ct=2)
    assert judged(chronicle, tmp_path) == {"overlap": 1}


def test_a_lease_shorter_than_asked_for_is_found_and_still_counts_in_full(
    chronicle: Chronicle, tmp_path: Path
) -> None:
    chronicle.claim(A, 1, 11, vt=0)
    chronicle.claim(B, 1, 12, read_ct=2)
    assert judged(chronicle, tmp_path) == {"short_lease": 1, "overlap": 1}


def test_read_ct_rises_with_every_lease(chronicle: Chronicle, tmp_path: Path) -> None:
    chronicle.claim(A, 1, 11, read_ct=2)
    chronicle.wait(VT).claim(B, 1, 12, read_ct=2)
    assert judged(chronicle, tmp_path) == {"read_ct_fell": 1}


def test_a_release_takes_no_more_than_its_own_read_off(chronicle: Chronicle, tmp_path: Path) -> None:
    chronicle.claim(A, 1, 11, read_ct=2)
    chronicle.wait(VT).claim(B, 1, 12, read_ct=3, release_ct=2)
    assert judged(chronicle, tmp_path) == {"read_ct_fell": 1}


def test_a_database_clock_that_was_set_back_makes_no_overlap(chronicle: Chronicle, tmp_path: Path) -> None:
    """A release at half past by the clock of before is followed by a read at a quarter past by that of now."""
    sample(chronicle, 0)
    sample(chronicle, 5_000)
    chronicle.claim(A, 1, 11)
    chronicle.lines[A][-1]["got"][0][4:6] = [
        (chronicle.now - 2 + 5_000) * 1000,
        (chronicle.now - 2 + 5_000 + VT) * 1000,
    ]
    sample(chronicle, 0)
    chronicle.nack(A, 1, 11, "release")
    chronicle.claim(B, 1, 12, read_ct=2)
    assert judged(chronicle, tmp_path) == {}


def test_a_release_that_met_a_clock_set_back_ended_the_lease_by_that_clock(
    chronicle: Chronicle, tmp_path: Path
) -> None:
    sample(chronicle, 0)
    chronicle.claim(A, 1, 11)
    release = chronicle.nack(A, 1, 11, "release", end="")
    sample(chronicle, -500)
    chronicle.end(release, outcomes=["done"])
    chronicle.claim(B, 1, 12, read_ct=2)
    now = chronicle.now - 2 - 500
    chronicle.lines[B][-1]["got"][0][4:6] = [now * 1000, (now + VT) * 1000]
    assert judged(chronicle, tmp_path) == {}


def sample(chronicle: Chronicle, ahead: int) -> None:
    now = (chronicle.now + ahead) * 1000 + 500
    chronicle.op("observer", "sample", result={"db_now": now, "queues": {}})
