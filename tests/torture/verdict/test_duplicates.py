"""Every run beyond the first has a proven cause, or it is a violation."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.torture.verdict.chronicle import HASH, QUEUE, STALE, VT, Chronicle

A, B = "consumer-0.1", "consumer-1.1"


def causes(chronicle: Chronicle, folder: Path, *, read_ct: int = 2) -> dict[str, int]:
    """Let B run message 1 again and finish it; return the causes, and make sure that nothing else is wrong."""
    chronicle.done(B, 1, 12, read_ct=read_ct)
    verdict = chronicle.finish().judged(folder)
    found: dict[str, int] = verdict.report["figures"]["duplicates_by_cause"]
    assert verdict.violations == ({"unexplained_duplicate": 1} if "unexplained" in found else {})
    return found


def begun(chronicle: Chronicle, *, end: str = "") -> Chronicle:
    chronicle.claim(A, 1, 11)
    chronicle.run(A, 1, 11, end=end)
    return chronicle


def test_a_run_cut_short_by_a_kill(chronicle: Chronicle, tmp_path: Path) -> None:
    begun(chronicle).kill(A)
    assert causes(chronicle.wait(VT), tmp_path) == {"kill": 1}


def test_the_kill_of_somebody_else_explains_nothing(chronicle: Chronicle, tmp_path: Path) -> None:
    begun(chronicle, end="ok")
    chronicle.claim("consumer-2.1", 1, 99, end="info")
    chronicle.kill("consumer-2.1")
    assert causes(chronicle.wait(VT), tmp_path) == {"unexplained": 1}


def test_a_kill_after_the_second_run_explains_nothing(chronicle: Chronicle, tmp_path: Path) -> None:
    begun(chronicle).wait(VT).done(B, 1, 12, read_ct=2)
    chronicle.kill(A)
    assert chronicle.finish().judged(tmp_path).violations == {"unexplained_duplicate": 1}


def test_a_pause_longer_than_the_lease(chronicle: Chronicle, tmp_path: Path) -> None:
    begun(chronicle, end="ok").fault("pause_worker", "pause", A, lasts=VT)
    assert causes(chronicle, tmp_path) == {"pause": 1}


def test_the_pause_of_somebody_else_explains_nothing(chronicle: Chronicle, tmp_path: Path) -> None:
    begun(chronicle, end="ok").fault("pause_worker", "pause", B, lasts=VT)
    assert causes(chronicle, tmp_path) == {"unexplained": 1}


def test_an_ack_without_an_answer(chronicle: Chronicle, tmp_path: Path) -> None:
    begun(chronicle, end="ok").ack(A, 1, 11, end="info")
    assert causes(chronicle.wait(VT), tmp_path) == {"lost reply": 1}


def test_an_ack_that_could_not_be_sent(chronicle: Chronicle, tmp_path: Path) -> None:
    begun(chronicle, end="ok").ack(A, 1, 11, end="fail")
    assert causes(chronicle.wait(VT), tmp_path) == {"lost reply": 1}


def test_a_transaction_without_an_answer_that_came_to_nothing(tmp_path: Path) -> None:
    chronicle = Chronicle()
    chronicle.send("u1", 1, "tx")
    begun(chronicle).effect(A, 1, 11, end="info")
    chronicle.wait(VT).claim(B, 1, 12, read_ct=2)
    chronicle.run(B, 1, 12, read_ct=2)
    chronicle.effect(B, 1, 12)
    verdict = chronicle.finish().judged(tmp_path)
    assert verdict.violations == {}
    assert verdict.report["figures"]["duplicates_by_cause"] == {"lost reply": 1}


def test_a_transaction_that_found_its_lease_lost_is_no_cause(tmp_path: Path) -> None:
    chronicle = Chronicle()
    chronicle.send("u1", 1, "tx")
    begun(chronicle, end="fail").wait(VT)
    chronicle.claim(B, 1, 12, read_ct=2)
    chronicle.effect(A, 1, 11, end="fail")
    chronicle.run(B, 1, 12, read_ct=2)
    chronicle.effect(B, 1, 12)
    assert chronicle.finish().judged(tmp_path).violations == {"unexplained_duplicate": 1}


@pytest.mark.parametrize("verb", ["retry", "release"])
def test_a_message_given_back(chronicle: Chronicle, tmp_path: Path, verb: str) -> None:
    begun(chronicle, end="fail").nack(A, 1, 11, verb)
    assert causes(chronicle, tmp_path) == {"given back": 1}


def test_a_message_given_back_by_the_supervisor_of_a_dead_worker(
    chronicle: Chronicle, tmp_path: Path
) -> None:
    begun(chronicle).kill(A)
    chronicle.nack("supervisor-0.1", 1, 11)
    assert causes(chronicle, tmp_path) == {"kill": 1}


def test_a_message_given_back_by_hand(chronicle: Chronicle, tmp_path: Path) -> None:
    begun(chronicle, end="ok").nack("parent", 1, 11)
    assert causes(chronicle, tmp_path) == {"operator": 1}


def test_a_handler_that_outlived_its_deadline(chronicle: Chronicle, tmp_path: Path) -> None:
    chronicle.config["stuck_us"] = 10**9
    chronicle.claim(A, 1, 11)
    chronicle.run(A, 1, 11, took=STALE)
    assert causes(chronicle, tmp_path) == {"deadline": 1}


def test_a_handler_that_took_less_is_not_excused(chronicle: Chronicle, tmp_path: Path) -> None:
    chronicle.config["stuck_us"] = 10**9
    chronicle.claim(A, 1, 11)
    chronicle.run(A, 1, 11, took=STALE - 1)
    assert causes(chronicle, tmp_path) == {"unexplained": 1}


@pytest.mark.parametrize(
    ("kind", "of", "cause"),
    [
        ("server", "", "server fault"), ("connection", "consumers", "connection"), ("connection", "consumer-0", "connection"),
        ("pooler", "all", "connection"), ("connection", "producers", "unexplained"),
        ("connection", "consumer-1", "unexplained"), ("load", "", "unexplained"),
    ],
)  # fmt: skip
def test_a_renewal_that_could_not_get_through(
    chronicle: Chronicle, tmp_path: Path, kind: str, of: str, cause: str
) -> None:
    begun(chronicle, end="ok").fault("cut", kind, of=of)
    assert causes(chronicle.wait(VT), tmp_path) == {cause: 1}


def test_a_fault_that_was_over_before_the_claim_explains_nothing(
    chronicle: Chronicle, tmp_path: Path
) -> None:
    chronicle.fault("cut", "connection", of="all")
    begun(chronicle.wait(10), end="ok")
    assert causes(chronicle.wait(VT), tmp_path) == {"unexplained": 1}


def test_two_runs_under_one_receipt(chronicle: Chronicle, tmp_path: Path) -> None:
    begun(chronicle, end="ok").run(A, 1, 11)
    chronicle.ack(A, 1, 11)
    verdict = chronicle.finish().judged(tmp_path)
    assert verdict.violations == {"unexplained_duplicate": 1}
    case: dict[str, Any] = verdict.report["cases"]["unexplained_duplicate"][0]
    assert (case["uid"], case["receipts"], len(case["lines"])) == ("u1", [11, 11], 2)


def test_a_run_after_a_confirmed_ack(chronicle: Chronicle, tmp_path: Path) -> None:
    chronicle.done(A, 1, 11)
    chronicle.kill(A)
    chronicle.wait(VT).claim(B, 1, 12, read_ct=2)
    chronicle.run(B, 1, 12, read_ct=2)
    assert chronicle.finish().judged(tmp_path).violations["unexplained_duplicate"] == 1


@pytest.mark.parametrize(("kind", "cause"), [("stale", "poison"), ("plain", "unexplained")])
def test_an_ack_held_up_by_a_handler_that_blocks_the_loop(tmp_path: Path, kind: str, cause: str) -> None:
    chronicle = Chronicle()
    chronicle.send("u1", 1)
    chronicle.send("u2", 2, kind)
    begun(chronicle, end="ok")
    chronicle.claim(A, 2, 21)
    chronicle.run(A, 2, 21, end="")
    chronicle.wait(VT).done(B, 1, 12, read_ct=2)
    verdict = chronicle.finish().judged(tmp_path)
    assert verdict.report["figures"]["duplicates_by_cause"] == {cause: 1}


def test_a_message_that_killed_its_interpreter(tmp_path: Path) -> None:
    chronicle = Chronicle()
    chronicle.send("u1", 1, "poison")
    begun(chronicle)
    chronicle.unended.add(A)
    chronicle.wait(VT).claim(B, 1, 12, read_ct=2)
    chronicle.run(B, 1, 12, read_ct=2, end="fail")
    chronicle.bury(B, 1, 12)
    chronicle.dead(1)
    verdict = chronicle.finish().judged(tmp_path)
    assert verdict.violations == {}
    assert verdict.report["figures"]["duplicates_by_cause"] == {"poison": 1}


def test_a_worker_that_begins_late_what_another_has_done_in_the_meantime(
    chronicle: Chronicle, tmp_path: Path
) -> None:
    chronicle.claim(A, 1, 11)
    chronicle.fault("pause_worker", "pause", A, lasts=VT)
    chronicle.done(B, 1, 12, read_ct=2)
    chronicle.run(A, 1, 11)
    chronicle.ack(A, 1, 11, outcome="gone")
    verdict = chronicle.finish().judged(tmp_path)
    assert verdict.violations == {}
    assert verdict.report["figures"]["duplicates_by_cause"] == {"pause": 1}


def test_a_lease_that_a_clock_set_ahead_ended_for_somebody_who_gave_it_back(
    chronicle: Chronicle, tmp_path: Path
) -> None:
    """By the clock that is right again by then, the first lease would still hold."""
    begun(chronicle, end="ok")
    chronicle.fault("clock_step", "clock", of="database")
    sample(chronicle, 2 * VT)
    then = (chronicle.now + 2 * VT) * 1000
    got = [[1, 99, 2, 0, then, then + VT * 1000, "u1", HASH]]
    how: dict[str, Any] = {"queue": QUEUE, "qty": 1, "vt_us": VT * 1000, "async": False}
    chronicle.op("consumer-2.1", "claim", result={"got": got}, **how)
    sample(chronicle, 0)
    chronicle.nack("consumer-2.1", 1, 99, "release")
    assert causes(chronicle, tmp_path, read_ct=3) == {"clock": 1}


def test_a_renewal_that_a_clock_set_back_made_shorter(chronicle: Chronicle, tmp_path: Path) -> None:
    """The lease ends earlier than the claim had said, by the clock that is then right again."""
    back = 800
    sample(chronicle, 0)
    chronicle.claim(A, 1, 11)
    sample(chronicle, -back)
    chronicle.run(A, 1, 11, took=5)
    chronicle.extend(A, 1, 11, hide=VT)
    chronicle.fault("clock_step", "clock", of="database")
    sample(chronicle, 0)
    chronicle.wait(VT - back)
    assert causes(chronicle, tmp_path) == {"clock": 1}
    assert chronicle.now < 10_000 + 2 * VT


def sample(chronicle: Chronicle, ahead: int) -> None:
    now = (chronicle.now + ahead) * 1000 + 500
    chronicle.op("observer", "sample", result={"db_now": now, "queues": {}})
