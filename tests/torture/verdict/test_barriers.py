"""A barrier ends once: with its callback after all of its parts, or with a failure."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.torture.verdict.fanned import PRODUCER, A, B, Fanned


@pytest.fixture
def run() -> Fanned:
    return Fanned()


def found(run: Fanned, folder: Path) -> dict[str, int]:
    return run.finish().judged(folder).violations


def test_a_barrier_that_is_done_is_clean(run: Fanned, tmp_path: Path) -> None:
    run.all_done(run.arm(3))
    verdict = run.finish().judged(tmp_path)
    assert verdict.violations == {}
    assert verdict.report["figures"]["barriers"] == {"done": 1}
    assert verdict.report["figures"]["callbacks_sent"] == 1


@pytest.mark.parametrize("exists", [True, False])
def test_an_arm_in_doubt_has_its_barrier_or_not(run: Fanned, tmp_path: Path, exists: bool) -> None:
    row = run.arm(end="info", exists=exists)
    if exists:
        run.all_done(row)
    assert found(run, tmp_path) == {}


@pytest.mark.parametrize("end", ["ok", "fail"])
def test_a_confirmed_barrier_that_is_not_there_or_a_refused_one_that_is(
    run: Fanned, tmp_path: Path, end: str
) -> None:
    row = run.arm(end=end, exists=end == "fail")
    if end == "fail":
        run.turn(row, "aborted")
    assert "barrier_lost" in found(run, tmp_path)


def test_a_barrier_with_fewer_parts_than_were_asked_for(run: Fanned, tmp_path: Path) -> None:
    row = run.arm(3)
    del row["members"][2]
    run.all_done(row)
    assert "barrier_lost" in found(run, tmp_path)


def test_a_part_of_a_confirmed_barrier_that_nobody_handled_is_lost(run: Fanned, tmp_path: Path) -> None:
    row = run.arm(2)
    run.part(row, 0)
    row["members"][1][3] = "done"
    run.turn(row, "done")
    run.fire(row)
    run.done_as(B, 200, "done", from_barrier=7)
    assert found(run, tmp_path) == {"lost": 1, "callback_too_early": 1}


def test_parts_of_a_barrier_that_was_rolled_back_must_not_be_seen(run: Fanned, tmp_path: Path) -> None:
    run.arm(1, end="fail", exists=False)
    run.done_as(A, 100, "p0")
    assert found(run, tmp_path) == {"unexpected": 1}


def test_a_callback_that_is_lost(run: Fanned, tmp_path: Path) -> None:
    row = run.arm(1)
    run.part(row, 0)
    run.turn(row, "done")
    run.fire(row)
    assert found(run, tmp_path) == {"lost": 1}


def test_a_barrier_that_is_stranded(run: Fanned, tmp_path: Path) -> None:
    row = run.arm(1)
    run.part(row, 0)
    assert found(run, tmp_path) == {"barrier_stranded": 1}


def test_a_barrier_without_its_callback(run: Fanned, tmp_path: Path) -> None:
    row = run.arm(1)
    run.part(row, 0)
    run.turn(row, "done")
    assert found(run, tmp_path) == {"callbacks": 1}


def test_a_barrier_with_two_callbacks(run: Fanned, tmp_path: Path) -> None:
    row = run.arm(1)
    run.all_done(row)
    run.fire(row, msg_id=201)
    run.done_as(B, 201, "done", from_barrier=7)
    assert {"callbacks", "doubled"} <= set(found(run, tmp_path))


def test_one_callback_that_was_moved_between_tables_is_one(run: Fanned, tmp_path: Path) -> None:
    row = run.arm(1)
    run.all_done(row)
    run.fire(row)
    assert found(run, tmp_path) == {}


def test_a_callback_sent_while_a_part_is_open(run: Fanned, tmp_path: Path) -> None:
    row = run.arm(2)
    run.part(row, 0)
    run.turn(row, "done")
    run.fire(row)
    run.part(row, 1)
    run.done_as(B, 200, "done", from_barrier=7)
    assert found(run, tmp_path) == {"callback_too_early": 1}


def test_a_callback_that_ran_before_a_part_was_finished(run: Fanned, tmp_path: Path) -> None:
    row = run.arm(2)
    run.part(row, 0)
    run.done_as(B, 200, "done", from_barrier=7)
    run.part(row, 1)
    run.turn(row, "done")
    run.fire(row, still_open=0)
    assert "callback_too_early" in found(run, tmp_path)


def test_a_callback_that_does_not_know_its_barrier(run: Fanned, tmp_path: Path) -> None:
    row = run.arm(0 + 1)
    run.part(row, 0)
    run.turn(row, "done")
    run.fire(row)
    run.done_as(B, 200, "done")
    assert found(run, tmp_path) == {"callbacks": 1}


def test_a_barrier_that_ends_twice(run: Fanned, tmp_path: Path) -> None:
    row = run.arm(1, deadline=5, failure=True)
    run.all_done(row)
    run.turn(row, "expired")
    run.fire(row, "failed", msg_id=201)
    run.done_as(B, 201, "failed")
    assert {"barrier_ends", "callbacks"} <= set(found(run, tmp_path))


@pytest.mark.parametrize("fires", [True, False])
def test_a_barrier_that_failed_sends_its_failure(run: Fanned, tmp_path: Path, fires: bool) -> None:
    row = run.arm(1, failure=True)
    run.claim(A, 100, 1000, uid="p0")
    run.run(A, 100, 1000, uid="p0", answer="bury")
    run.bury(A, 100, 1000)
    run.dead(100)
    run.tables["final-dead"][-1]["uid"] = "p0"
    row["members"][0][3] = "failed"
    run.turn(row, "failed")
    if fires:
        run.fire(row, "failed", msg_id=201)
        run.done_as(B, 201, "failed")
    assert found(run, tmp_path) == ({} if fires else {"callbacks": 1})


def test_a_failure_without_a_failed_part(run: Fanned, tmp_path: Path) -> None:
    row = run.arm(1)
    run.part(row, 0)
    run.turn(row, "failed")
    assert found(run, tmp_path) == {"barrier_ends": 1}


@pytest.mark.parametrize("late", [True, False])
def test_a_barrier_expires_after_its_deadline(run: Fanned, tmp_path: Path, late: bool) -> None:
    row = run.arm(1, deadline=5)
    run.part(row, 0, state="open")
    run.wait(0 if not late else 50)
    row["db_deadline"] += 0 if late else 10_000_000
    run.turn(row, "expired")
    assert found(run, tmp_path) == ({} if late else {"barrier_ends": 1})


@pytest.mark.parametrize("answer", ["aborted", "ended", None])
def test_a_barrier_is_aborted_only_by_whom_it_was_told(
    run: Fanned, tmp_path: Path, answer: str | None
) -> None:
    row = run.arm(1)
    run.part(row, 0, state="open")
    if answer is not None:
        run.op(PRODUCER, "abort", result={"answer": answer}, barrier="b")
    run.turn(row, "aborted")
    assert found(run, tmp_path) == ({} if answer else {"barrier_ends": 1})


def test_an_abort_that_was_confirmed_and_did_not_happen(run: Fanned, tmp_path: Path) -> None:
    row = run.arm(1)
    run.op(PRODUCER, "abort", result={"answer": "aborted"}, barrier="b")
    run.all_done(row)
    assert found(run, tmp_path) == {"barrier_ends": 1}


def test_a_part_that_was_sent_again_is_the_same_part(run: Fanned, tmp_path: Path) -> None:
    row = run.arm(1, policy="retry")
    run.claim(A, 100, 1000, uid="p0")
    run.run(A, 100, 1000, uid="p0", answer="bury")
    run.bury(A, 100, 1000)
    run.dead(100)
    run.tables["final-dead"][-1] |= {"uid": "p0", "redriven_as": 150}
    run.done_as(A, 150, "p0")
    row["members"][0] = [0, "q", 150, "done"]
    run.turn(row, "done")
    run.fire(row)
    run.done_as(B, 200, "done", from_barrier=7)
    assert found(run, tmp_path) == {}


def test_a_witness_that_is_missing_or_not_in_the_format(run: Fanned, tmp_path: Path) -> None:
    run.all_done(run.arm(1))
    run.tables["coordination"].append({"seq": 99, "what": "turn", "db_at": 1, "generation": "seven"})
    assert run.finish().judged(tmp_path).code == 2
