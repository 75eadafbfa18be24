"""A claim has one owner at a time, and none after its end."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.torture.verdict.fanned import A, B, Fanned


@pytest.fixture
def run() -> Fanned:
    return Fanned()


def found(run: Fanned, folder: Path) -> dict[str, int]:
    return run.finish().judged(folder).violations


def test_a_claim_that_is_taken_over_when_its_lease_is_over(run: Fanned, tmp_path: Path) -> None:
    run.take(1, lease=10)
    run.call(B, "try_claim", answer=None)
    run.wait(20)
    run.take(2, p=B)
    run.call(A, "finish_claim", token=1, end="fail")
    run.leave(2, p=B)
    run.call(A, "try_claim", answer=None)
    verdict = run.finish().judged(tmp_path)
    assert verdict.violations == {}
    figures = verdict.report["figures"]
    assert {word: figures[f"claims_{word}"] for word in ("taken_over", "finished", "refused", "lost")} == {
        "taken_over": 1, "finished": 1, "refused": 2, "lost": 1,
    }  # fmt: skip


def test_a_claim_that_was_given_back_is_free_at_once(run: Fanned, tmp_path: Path) -> None:
    run.take(1)
    run.version(1, "free", run.now, run.now)
    run.call(A, "release_claim", token=1, answer=True)
    run.take(2, p=B)
    run.leave(2, p=B)
    assert found(run, tmp_path) == {}


def test_an_answer_that_was_lost_is_no_owner_too_many(run: Fanned, tmp_path: Path) -> None:
    run.take(1, lease=10, answered=False)
    run.call(A, "try_claim", end="info")
    run.wait(20)
    run.take(2, p=B)
    run.leave(2, p=B)
    assert found(run, tmp_path) == {}


@pytest.mark.parametrize("died", [True, False])
def test_work_that_is_left_to_nobody(run: Fanned, tmp_path: Path, died: bool) -> None:
    run.take(1)
    if died:
        run.send("u1", 1, "bury")
        run.dead(1)
    assert found(run, tmp_path) == ({} if died else {"claim_undone": 1})


def test_two_owners(run: Fanned, tmp_path: Path) -> None:
    run.take(1)
    run.take(2, p=B)
    run.leave(2, p=B)
    assert found(run, tmp_path) == {"two_owners": 1}


def test_one_token_for_two(run: Fanned, tmp_path: Path) -> None:
    run.take(1)
    run.call(B, "try_claim", answer=1)
    run.leave(1)
    assert found(run, tmp_path) == {"two_owners": 1}


@pytest.mark.parametrize("noted", [True, False])
def test_a_tombstone_that_is_ignored(run: Fanned, tmp_path: Path, noted: bool) -> None:
    """By the server's own versions, and by what callers were answered alone."""
    run.take(1)
    if noted:
        run.leave(1)
        run.take(2, p=B, answered=False)
        assert found(run, tmp_path) == {"tombstone_ignored": 1, "claim_undone": 1}
    else:
        run.call(A, "finish_claim", token=1)
        run.wait(2000)
        run.take(2, p=B)
        assert "tombstone_ignored" in found(run, tmp_path)


def test_a_tombstone_that_is_forgotten_too_early(run: Fanned, tmp_path: Path) -> None:
    run.take(1)
    run.leave(1)
    run.version(1, "forgotten", run.now, run.now + 1000)
    assert found(run, tmp_path) == {"tombstone_ignored": 1}


def test_a_token_that_does_not_rise(run: Fanned, tmp_path: Path) -> None:
    run.take(2, lease=5)
    run.wait(20)
    run.take(1, p=B)
    run.leave(1)
    assert found(run, tmp_path) == {"claim_not_fenced": 1}


def test_an_end_under_a_token_that_is_not_the_last(run: Fanned, tmp_path: Path) -> None:
    run.take(1, lease=5)
    run.wait(20)
    run.take(2, p=B)
    run.leave(1)
    assert found(run, tmp_path)["claim_not_fenced"] == 1


def test_a_claim_that_comes_back_to_life(run: Fanned, tmp_path: Path) -> None:
    run.take(1)
    run.leave(1)
    run.version(1, "running", run.now, run.now + 10)
    assert found(run, tmp_path) == {"claim_not_fenced": 1, "claim_undone": 1}


def test_a_token_or_an_end_that_the_server_does_not_know(run: Fanned, tmp_path: Path) -> None:
    run.call(A, "try_claim", answer=9)
    run.call(A, "finish_claim", token=9)
    assert found(run, tmp_path) == {"claim_not_fenced": 2}
