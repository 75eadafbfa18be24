"""Only the receipt of the last lease settles anything, and what has ended does not come back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.torture.verdict.chronicle import QUEUE, VT, Chronicle

A, B = "consumer-0.1", "consumer-1.1"


def test_an_ack_by_an_invented_receipt_is_found(chronicle: Chronicle, tmp_path: Path) -> None:
    chronicle.claim(A, 1, 11)
    chronicle.run(A, 1, 11)
    chronicle.ack(A, 1, 99)
    verdict = chronicle.finish().judged(tmp_path)
    assert verdict.violations == {"phantom_ack": 1}
    assert verdict.report["cases"]["phantom_ack"][0]["receipt"] == 99


def test_a_worker_that_settles_without_a_receipt_is_found(chronicle: Chronicle, tmp_path: Path) -> None:
    chronicle.claim(A, 1, 11)
    chronicle.run(A, 1, 11)
    chronicle.ack(A, 1, None)
    assert chronicle.finish().judged(tmp_path).violations == {"ack_without_receipt": 1}


def test_an_operator_needs_none(chronicle: Chronicle, tmp_path: Path) -> None:
    chronicle.ack("parent", 1, None)
    assert chronicle.finish().judged(tmp_path).violations == {}


def taken_over(chronicle: Chronicle) -> Chronicle:
    """A is paused beyond its lease, B takes over and finishes nothing yet."""
    chronicle.claim(A, 1, 11)
    chronicle.run(A, 1, 11)
    chronicle.fault("pause_worker", "pause", A, lasts=VT)
    chronicle.claim(B, 1, 12, read_ct=2)
    return chronicle


def test_an_ack_after_somebody_else_has_taken_over_is_late(chronicle: Chronicle, tmp_path: Path) -> None:
    taken_over(chronicle).ack(A, 1, 11)
    verdict = chronicle.finish().judged(tmp_path)
    assert verdict.violations == {"late_effect": 1}
    case = verdict.report["cases"]["late_effect"][0]
    assert (case["msg_id"], case["receipt"], len(case["lines"])) == (1, 11, 3)


def test_a_renewal_after_somebody_else_has_taken_over_is_late(chronicle: Chronicle, tmp_path: Path) -> None:
    taken_over(chronicle).extend(A, 1, 11)
    chronicle.run(B, 1, 12, read_ct=2)
    chronicle.ack(B, 1, 12)
    assert chronicle.finish().judged(tmp_path).violations == {"late_effect": 1}


def test_a_transaction_after_somebody_else_has_taken_over_is_late(tmp_path: Path) -> None:
    chronicle = Chronicle()
    chronicle.send("u1", 1, "tx")
    taken_over(chronicle).effect(A, 1, 11)
    assert chronicle.finish().judged(tmp_path).violations == {"late_effect": 1}


def test_one_that_is_refused_is_as_it_should_be(chronicle: Chronicle, tmp_path: Path) -> None:
    taken_over(chronicle).ack(A, 1, 11, outcome="stale")
    chronicle.run(B, 1, 12, read_ct=2)
    chronicle.ack(B, 1, 12)
    verdict = chronicle.finish().judged(tmp_path)
    assert verdict.violations == {}
    assert verdict.report["figures"]["duplicates_by_cause"] == {"pause": 1}


def test_an_expired_receipt_that_nobody_took_over_is_still_good(chronicle: Chronicle, tmp_path: Path) -> None:
    chronicle.claim(A, 1, 11)
    chronicle.wait(5 * VT).run(A, 1, 11)
    chronicle.ack(A, 1, 11)
    assert chronicle.finish().judged(tmp_path).violations == {}


def test_a_delivery_after_a_confirmed_ack_is_found(chronicle: Chronicle, tmp_path: Path) -> None:
    chronicle.done(A, 1, 11)
    chronicle.wait(VT).claim(B, 1, 12, read_ct=2)
    assert chronicle.finish().judged(tmp_path).violations == {"delivered_after_ack": 1}


def test_an_asynchronous_ack_may_be_lost_in_a_crash(chronicle: Chronicle, tmp_path: Path) -> None:
    chronicle.claim(A, 1, 11)
    chronicle.run(A, 1, 11)
    chronicle.ack(A, 1, 11, commit="async")
    chronicle.fault("kill_server", "server", loses_async=True)
    chronicle.wait(VT).claim(B, 1, 12, read_ct=2)
    chronicle.run(B, 1, 12, read_ct=2)
    chronicle.ack(B, 1, 12)
    verdict = chronicle.finish().judged(tmp_path)
    assert verdict.violations == {}
    assert verdict.report["figures"]["duplicates_by_cause"] == {"server fault": 1}
    assert verdict.report["figures"]["acks_lost_in_a_crash"] == 1


def test_a_durable_ack_may_not(chronicle: Chronicle, tmp_path: Path) -> None:
    chronicle.claim(A, 1, 11)
    chronicle.run(A, 1, 11)
    chronicle.ack(A, 1, 11)
    chronicle.fault("kill_server", "server", loses_async=True)
    chronicle.wait(VT).done(B, 1, 12, read_ct=2)
    found = chronicle.finish().judged(tmp_path).violations
    assert found == {"delivered_after_ack": 1, "unexplained_duplicate": 1, "settled_twice": 1}


def test_an_asynchronous_ack_long_before_a_crash_may_not(chronicle: Chronicle, tmp_path: Path) -> None:
    chronicle.claim(A, 1, 11)
    chronicle.run(A, 1, 11)
    chronicle.ack(A, 1, 11, commit="async")
    chronicle.wait(5000).fault("kill_server", "server", loses_async=True)
    chronicle.wait(VT).claim(B, 1, 12, read_ct=2)
    assert chronicle.finish().judged(tmp_path).violations == {"delivered_after_ack": 1}


def test_a_restart_in_good_order_loses_nothing(chronicle: Chronicle, tmp_path: Path) -> None:
    chronicle.claim(A, 1, 11)
    chronicle.run(A, 1, 11)
    chronicle.ack(A, 1, 11, commit="async")
    chronicle.fault("restart", "server", loses_async=False)
    chronicle.wait(VT).claim(B, 1, 12, read_ct=2)
    assert chronicle.finish().judged(tmp_path).violations == {"delivered_after_ack": 1}


def test_a_message_twice_in_one_call_leaves_open_which_receipt_was_good(
    chronicle: Chronicle, tmp_path: Path
) -> None:
    taken_over(chronicle)
    more: dict[str, Any] = {"verb": "delete", "ids": [1, 1], "receipts": [11, 12], "async": False}
    chronicle.op(A, "ack", queue=QUEUE, result={"outcomes": ["done", "done"]}, **more)
    assert chronicle.finish().judged(tmp_path).violations == {}
