"""Where the server kept a list of what it committed, it settles every doubt."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.torture.verdict.chronicle import QUEUE, VT, Chronicle

A, B = "consumer-0.1", "consumer-1.1"


@pytest.fixture
def chronicle() -> Chronicle:
    made = Chronicle()
    made.config["audit"] = True
    made.tables["audit"] = []
    made.send("u1", 1)
    return made


def note(chronicle: Chronicle, verb: str, receipt: int, **more: Any) -> None:
    row = {
        "seq": 1,
        "queue": QUEUE,
        "verb": verb,
        "msg_id": 1,
        "receipt": receipt,
        "db_at": chronicle.now * 1000,
    }
    chronicle.tables["audit"].append(row | more)


def claimed(chronicle: Chronicle, p: str, receipt: int, *, read_ct: int = 1, commit: str = "sync") -> None:
    note(chronicle, "claim", receipt, db_until=(chronicle.now + VT) * 1000, read_ct=read_ct, release_ct=0)
    chronicle.claim(p, 1, receipt, read_ct=read_ct, commit=commit)


def test_an_ack_in_doubt_that_came_to_nothing_accounts_for_nothing(
    chronicle: Chronicle, tmp_path: Path
) -> None:
    claimed(chronicle, A, 11)
    chronicle.run(A, 1, 11)
    chronicle.ack(A, 1, 11, end="info")
    assert chronicle.finish().judged(tmp_path).violations == {"lost": 1}


def test_an_ack_in_doubt_that_was_carried_out_does(chronicle: Chronicle, tmp_path: Path) -> None:
    claimed(chronicle, A, 11)
    chronicle.run(A, 1, 11)
    note(chronicle, "delete", 11)
    chronicle.ack(A, 1, 11, end="info")
    verdict = chronicle.finish().judged(tmp_path)
    assert verdict.violations == {}
    assert verdict.report["figures"]["acked_in_doubt"] == 0


def test_a_run_after_an_ack_that_came_to_nothing_is_a_lost_reply(
    chronicle: Chronicle, tmp_path: Path
) -> None:
    claimed(chronicle, A, 11)
    chronicle.run(A, 1, 11)
    chronicle.ack(A, 1, 11, end="info")
    chronicle.wait(VT)
    claimed(chronicle, B, 12, read_ct=2)
    chronicle.run(B, 1, 12, read_ct=2)
    note(chronicle, "delete", 12)
    chronicle.ack(B, 1, 12)
    verdict = chronicle.finish().judged(tmp_path)
    assert verdict.violations == {}
    assert verdict.report["figures"]["duplicates_by_cause"] == {"lost reply": 1}


def test_a_claim_that_nobody_lived_to_write_down_still_is_a_lease(
    chronicle: Chronicle, tmp_path: Path
) -> None:
    note(chronicle, "claim", 11, db_until=(chronicle.now + VT) * 1000, read_ct=1, release_ct=0)
    chronicle.claim(A, 1, 11, end="")
    chronicle.kill(A)
    claimed(chronicle, B, 12, read_ct=2)
    chronicle.run(B, 1, 12, read_ct=2)
    chronicle.ack(B, 1, 12)
    verdict = chronicle.finish().judged(tmp_path)
    assert verdict.violations == {"overlap": 1}
    assert verdict.report["cases"]["overlap"][0]["lines"][0] == "audit.jsonl:1"
    assert verdict.report["figures"]["delivered"] == 1


def test_a_release_by_somebody_who_keeps_no_history_ends_the_lease(
    chronicle: Chronicle, tmp_path: Path
) -> None:
    claimed(chronicle, A, 11)
    chronicle.kill(A)
    note(chronicle, "release", 11, db_until=chronicle.now * 1000)
    claimed(chronicle, B, 12, read_ct=2)
    chronicle.run(B, 1, 12, read_ct=2)
    chronicle.ack(B, 1, 12)
    assert chronicle.finish().judged(tmp_path).violations == {}


@pytest.mark.parametrize(("kept", "found"), [(False, {}), (True, {"overlap": 1, "read_ct_fell": 1})])
def test_a_crash_excuses_only_the_claims_that_it_took_back(
    chronicle: Chronicle, tmp_path: Path, kept: bool, found: dict[str, int]
) -> None:
    claimed(chronicle, A, 11, commit="async")
    if not kept:
        chronicle.tables["audit"].clear()
    chronicle.fault("kill_server", "server", loses_async=True)
    claimed(chronicle, B, 12)
    chronicle.run(B, 1, 12)
    chronicle.ack(B, 1, 12)
    assert chronicle.finish().judged(tmp_path).violations == found


@pytest.mark.parametrize("outcome", ["done", "gone"])
def test_an_ack_in_doubt_and_its_repetition_are_one_ack(
    chronicle: Chronicle, tmp_path: Path, outcome: str
) -> None:
    claimed(chronicle, A, 11)
    chronicle.run(A, 1, 11)
    note(chronicle, "delete", 11)
    chronicle.ack(A, 1, 11, end="info")
    chronicle.ack(A, 1, 11, outcome=outcome)
    assert chronicle.finish().judged(tmp_path).violations == {}


def test_an_ack_that_the_server_carried_out_when_its_caller_had_given_up(
    chronicle: Chronicle, tmp_path: Path
) -> None:
    """What was read in between is no delivery after the ack."""
    claimed(chronicle, A, 11)
    chronicle.run(A, 1, 11)
    chronicle.ack(A, 1, 11, end="info")
    chronicle.claim(B, 1, 12, end="info")
    chronicle.wait(100)
    claimed(chronicle, B, 13, read_ct=2)
    note(chronicle, "delete", 11)
    assert "delivered_after_ack" not in chronicle.finish().judged(tmp_path).violations


def test_an_extension_that_was_held_up_was_done_before_its_message_was_given_back(
    chronicle: Chronicle, tmp_path: Path
) -> None:
    """A worker sends an extension over a stalled connection and dies; its supervisor gives the message back."""
    claimed(chronicle, A, 11)
    chronicle.run(A, 1, 11, end="")
    chronicle.extend(A, 1, 11, end="")
    chronicle.kill(A)
    nack = chronicle.nack("supervisor-0.1", 1, 11, hide=10, end="")
    chronicle.wait(500)
    note(chronicle, "set_vt", 11, db_until=(chronicle.now + VT) * 1000)
    note(chronicle, "retry", 11, db_until=(chronicle.now + 10) * 1000)
    chronicle.end(nack, outcomes=["done"])
    chronicle.wait(50)
    claimed(chronicle, B, 12, read_ct=2)
    chronicle.run(B, 1, 12, read_ct=2)
    note(chronicle, "delete", 12)
    chronicle.ack(B, 1, 12)
    assert chronicle.finish().judged(tmp_path).violations == {}


@pytest.mark.parametrize("was_set", [True, False])
def test_when_a_claim_without_an_answer_was_is_unknown_where_the_clock_was_set_back(
    chronicle: Chronicle, tmp_path: Path, was_set: bool
) -> None:
    """By the clock that was right before, it was there while the first lease still ran."""
    back = 500 if was_set else 0
    chronicle.wait(back)
    sample(chronicle, 0)
    claimed(chronicle, A, 11)
    chronicle.wait(back)
    sample(chronicle, -back)
    sample(chronicle, -back)
    note(
        chronicle,
        "release",
        11,
        seq=2,
        db_at=(chronicle.now - back) * 1000,
        db_until=(chronicle.now - back) * 1000,
    )
    chronicle.nack(A, 1, 11, "release")
    then = (chronicle.now - back - (0 if was_set else 100)) * 1000
    note(chronicle, "claim", 12, seq=3, db_at=then, db_until=then + VT * 1000, read_ct=2, release_ct=1)
    chronicle.wait(VT).done(B, 1, 13, read_ct=3, release_ct=1)
    note(
        chronicle,
        "claim",
        13,
        seq=4,
        db_at=(chronicle.now - back - 5) * 1000,
        db_until=(chronicle.now + VT) * 1000,
        read_ct=3,
        release_ct=1,
    )
    found = set(chronicle.finish().judged(tmp_path).violations)
    assert ("overlap" in found or "late_effect" in found) is not was_set, found


def sample(chronicle: Chronicle, ahead: int) -> None:
    now = (chronicle.now + ahead) * 1000 + 500
    chronicle.op("observer", "sample", result={"db_now": now, "queues": {}})
