"""A run that came to no end, had no faults, no messages, or left something behind, is no proof."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.torture.verdict.chronicle import Chronicle

A = "consumer-0.1"


def test_a_run_without_an_end(chronicle: Chronicle, tmp_path: Path) -> None:
    chronicle.done(A, 1, 11)
    verdict = chronicle.judged(tmp_path)
    assert "run_without_an_end" in verdict.violations
    assert verdict.code == 1


def test_a_drain_that_was_given_up(chronicle: Chronicle, tmp_path: Path) -> None:
    chronicle.done(A, 1, 11)
    chronicle.left = 3
    assert chronicle.finish().judged(tmp_path).violations == {"run_without_an_end": 1}


@pytest.mark.parametrize("what", ["sessions", "prepared", "processes", "sockets", "temp_files"])
def test_what_was_left_behind(chronicle: Chronicle, tmp_path: Path, what: str) -> None:
    chronicle.done(A, 1, 11)
    chronicle.leaks[what] = 1
    assert chronicle.finish().judged(tmp_path).violations == {"leaks": 1}


def test_fewer_messages_than_a_run_must_have(chronicle: Chronicle, tmp_path: Path) -> None:
    chronicle.done(A, 1, 11)
    chronicle.finish()
    assert chronicle.judged(tmp_path, minimum=1).violations == {}
    assert chronicle.judged(tmp_path, minimum=2).violations == {"too_little_drained": 1}


@pytest.mark.parametrize(("failed", "found"), [(1, {}), (2, {"faults_missing": 1})])
def test_ninety_five_percent_of_the_faults_must_happen(
    chronicle: Chronicle, tmp_path: Path, failed: int, found: dict[str, int]
) -> None:
    for number in range(20):
        chronicle.fault("cut", "connection", happens=number >= failed)
    chronicle.done(A, 1, 11)
    verdict = chronicle.finish().judged(tmp_path)
    assert verdict.violations == found
    assert verdict.report["figures"]["faults_happened"] == 20 - failed


def test_a_fault_that_was_planned_and_never_begun(chronicle: Chronicle, tmp_path: Path) -> None:
    chronicle.done(A, 1, 11)
    chronicle.faults.append({"id": 0, "fault": "cut", "class": "connection", "at": 1, "until": None})
    assert chronicle.finish().judged(tmp_path).violations == {"faults_missing": 1}


def test_a_fault_that_was_not_planned(chronicle: Chronicle, tmp_path: Path) -> None:
    chronicle.done(A, 1, 11)
    chronicle.fault("cut", "connection")
    chronicle.faults.clear()
    assert chronicle.finish().judged(tmp_path).code == 2


def test_a_fault_that_was_not_healed(chronicle: Chronicle, tmp_path: Path) -> None:
    chronicle.done(A, 1, 11)
    chronicle.fault("cut", "connection")
    chronicle.lines["nemesis"].pop()
    chronicle._numbers["nemesis"] -= 1
    assert chronicle.finish().judged(tmp_path).violations == {"fault_not_healed": 1}


def test_a_process_that_ended_without_a_word(chronicle: Chronicle, tmp_path: Path) -> None:
    chronicle.done(A, 1, 11)
    chronicle.unended.add(A)
    verdict = chronicle.finish().judged(tmp_path)
    assert verdict.violations == {"died_unexplained": 1}
    assert verdict.report["cases"]["died_unexplained"][0]["process"] == A


def test_one_that_was_killed_or_declared_dead(chronicle: Chronicle, tmp_path: Path) -> None:
    chronicle.done(A, 1, 11)
    chronicle.kill(A)
    chronicle.alone("parent", "died", pid=chronicle.pid("consumer-2.1"), why="stale")
    chronicle.unended.add("consumer-2.1")
    assert chronicle.finish().judged(tmp_path).violations == {}


def test_the_death_of_an_earlier_process_with_the_same_pid_is_none(
    chronicle: Chronicle, tmp_path: Path
) -> None:
    chronicle.alone("parent", "died", pid=103, why="stale")
    chronicle.wait(10).done(A, 1, 11)
    assert chronicle.pid(A) == 103
    chronicle.unended.add(A)
    assert chronicle.finish().judged(tmp_path).violations == {"died_unexplained": 1}


def test_a_pause_is_no_death(chronicle: Chronicle, tmp_path: Path) -> None:
    chronicle.done(A, 1, 11)
    chronicle.fault("pause_worker", "pause", A)
    chronicle.unended.add(A)
    assert chronicle.finish().judged(tmp_path).violations == {"died_unexplained": 1}


def test_a_worker_may_die_with_its_supervisor(chronicle: Chronicle, tmp_path: Path) -> None:
    chronicle.done(A, 1, 11)
    chronicle.lines[A][0]["ppid"] = chronicle.pid("supervisor-0.1")
    chronicle.kill("supervisor-0.1")
    chronicle.unended.add(A)
    assert chronicle.finish().judged(tmp_path).violations == {}
