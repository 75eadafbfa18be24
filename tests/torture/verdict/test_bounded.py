"""Reads are bounded, and what can't be done is in the dead letters, whole, with its error."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.torture.verdict.chronicle import HASH, VT, Chronicle

A, B = "consumer-0.1", "consumer-1.1"


def read(chronicle: Chronicle, times: int, *, begin: int = 1, counted: bool = True) -> Chronicle:
    for number in range(begin, begin + times):
        chronicle.claim(A, 1, 10 + number, read_ct=number if counted else 1)
        chronicle.wait(VT)
    return chronicle


def test_as_many_reads_as_allowed(chronicle: Chronicle, tmp_path: Path) -> None:
    read(chronicle, 5).dead(1, reason="hard_cap", read_ct=5)
    verdict = chronicle.finish().judged(tmp_path)
    assert verdict.violations == {}
    assert verdict.report["figures"]["most_reads"] == 5


def test_one_read_more(chronicle: Chronicle, tmp_path: Path) -> None:
    read(chronicle, 6).dead(1, reason="hard_cap", read_ct=6)
    verdict = chronicle.finish().judged(tmp_path)
    assert verdict.violations == {"unbounded": 1}
    assert verdict.report["cases"]["unbounded"][0]["msg_id"] == 1


def test_reads_are_counted_here_where_the_row_does_not(chronicle: Chronicle, tmp_path: Path) -> None:
    read(chronicle, 6, counted=False).dead(1, read_ct=5)
    assert chronicle.finish().judged(tmp_path).violations["unbounded"] == 1


def test_released_reads_do_not_count(chronicle: Chronicle, tmp_path: Path) -> None:
    for number in range(1, 6):
        chronicle.claim(A, 1, 10 + number, read_ct=number, release_ct=number - 1)
        chronicle.nack(A, 1, 10 + number, "release")
    chronicle.done(A, 1, 20, read_ct=6, release_ct=5)
    assert chronicle.finish().judged(tmp_path).violations == {}


def test_a_handler_that_runs_past_max_reads(chronicle: Chronicle, tmp_path: Path) -> None:
    read(chronicle, 3).done(A, 1, 20, read_ct=4)
    assert chronicle.finish().judged(tmp_path).violations == {"ran_past_max_reads": 1}


def test_a_message_buried_before_its_reads_were_used_up(chronicle: Chronicle, tmp_path: Path) -> None:
    chronicle.claim(A, 1, 11)
    chronicle.bury(A, 1, 11)
    chronicle.dead(1, read_ct=1)
    assert chronicle.finish().judged(tmp_path).violations == {"buried_without_cause": 1}


def test_a_handler_may_bury(chronicle: Chronicle, tmp_path: Path) -> None:
    chronicle.claim(A, 1, 11)
    chronicle.run(A, 1, 11, answer="bury")
    chronicle.bury(A, 1, 11)
    chronicle.dead(1, read_ct=1)
    assert chronicle.finish().judged(tmp_path).violations == {}


def poison(**dead: Any) -> Chronicle:
    """Fail three times; the third error is the last one."""
    chronicle = Chronicle()
    chronicle.send("u1", 1, "poison")
    for number in (1, 2, 3):
        chronicle.claim(A, 1, 10 + number, read_ct=number)
        chronicle.run(A, 1, 10 + number, read_ct=number, end="fail", error=f"failure {number}")
        chronicle.nack(A, 1, 10 + number)
    if dead:
        chronicle.dead(1, **dead)
    return chronicle.finish()


def test_poison_in_the_dead_letters(tmp_path: Path) -> None:
    verdict = poison(error="ValueError: failure 3\n  traceback").judged(tmp_path)
    assert verdict.violations == {}
    assert verdict.report["figures"]["dead_by_reason"] == {"poison": 1}


@pytest.mark.parametrize(
    ("dead", "why"),
    [
        ({"error": "failure 2"}, "last error"), ({"error": None}, "without an error"), ({}, "not in the dead letters"),
        ({"error": "failure 3", "digest": HASH + 1}, "payload"),
    ],
)  # fmt: skip
def test_poison_that_is_not_kept_as_it_should_be(tmp_path: Path, dead: dict[str, Any], why: str) -> None:
    verdict = poison(**dead).judged(tmp_path)
    assert verdict.violations["poison_not_buried"] == 1
    assert why in verdict.report["cases"]["poison_not_buried"][0]["why"]


@pytest.mark.parametrize(
    ("end", "told", "wrong"), [("", False, False), ("fail", False, False), ("fail", True, True)]
)
def test_only_where_its_last_run_could_not_be_settled_may_poison_have_died_of_its_worker(
    tmp_path: Path, end: str, told: bool, wrong: bool
) -> None:
    chronicle = Chronicle()
    chronicle.send("u1", 1, "poison")
    chronicle.claim(A, 1, 11)
    chronicle.run(A, 1, 11, end="fail", error="failure 1")
    chronicle.nack(A, 1, 11)
    chronicle.claim(A, 1, 12, read_ct=2)
    chronicle.run(A, 1, 12, read_ct=2, end=end, error="failure 2")
    if told:
        chronicle.nack(A, 1, 12)
    chronicle.kill(A)
    chronicle.wait(VT).claim("consumer-1.1", 1, 13, read_ct=3)
    chronicle.bury("consumer-1.1", 1, 13)
    chronicle.dead(1, error="worker process died: SIGKILL")
    found = chronicle.finish().judged(tmp_path).violations
    assert found == ({"poison_not_buried": 1} if wrong else {})
