"""Barriers from the command line: what an operator is told, and what is asked before one is ended."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from pgqueue.barrier.model import Aborted, BarrierInfo, MissingPart
from pgqueue.cli import barrier_words
from tests.cli.conftest import CallingClient, Run

THEN = datetime(2030, 1, 1, 12, tzinfo=UTC)
LATER = THEN + timedelta(hours=6)


def run_of(**changes: Any) -> BarrierInfo:
    plain = BarrierInfo(
        key="export-7",
        generation=12,
        state="live",
        policy="abort",
        parts=40,
        done=37,
        failed=1,
        open=2,
        progress=0.95,
        armed_at=THEN,
        last_progress_at=THEN + timedelta(minutes=3),
        deadline_at=LATER,
        stalls_at=THEN + timedelta(hours=2),
        ended_at=None,
        reason=None,
        callback_queue=None,
        callback_msg_id=None,
        callback_finished_at=None,
        kept_until=None,
    )
    return plain._replace(**changes)


def part(n: int, state: str, **changes: Any) -> MissingPart:
    plain = MissingPart(n, "pages", 100 + n, 0, state, 1, THEN, "host:1:a", None)
    return plain._replace(**changes)


@pytest.fixture(autouse=True)
def answering(calling: CallingClient) -> None:
    calling.answers = {
        "barrier.list": [[]],
        "barrier.show": [run_of()],
        "barrier.missing": [[part(7, "in_flight"), part(31, "ready", holder=None)]],
    }


def test_a_stuck_barrier_is_told_in_words(run: Run) -> None:
    said = run("barriers", "show", "export-7").out.splitlines()
    assert said[:4] == [
        "barrier export-7, generation 12, is live: 38/40 (95 %) parts have ended: 37 done, 1 failed, 2 open",
        "armed 2030-01-01 12:00:00Z, policy abort, last progress 2030-01-01 12:03:00Z",
        "expires at 2030-01-01 14:00:00Z if no part ends before, at 2030-01-01 18:00:00Z in any case",
        "its callback is sent when the last part has ended",
    ]
    assert "in hand until 2030-01-01 12:00:00Z  host:1:a" in said[7]
    assert "waits to be read" in said[8]
    assert said[9:] == ["1 wait in pages: is a consumer of it running, is it paused? pgqueue queues list"]


def test_parts_beyond_those_shown_are_counted(run: Run, calling: CallingClient) -> None:
    calling.answers["barrier.show"] = [run_of(open=25)]
    assert "and 23 more" in run("barriers", "show", "export-7").out


def test_a_part_that_died_is_told_with_the_cure(run: Run, calling: CallingClient) -> None:
    calling.answers["barrier.missing"] = [[part(3, "dead", error="poison: boom"), part(4, "gone")]]
    said = run("barriers", "show", "export-7").out
    assert (
        "part 3 is a dead letter. The sweep of a running consumer, or of pgqueue maintain, ends it under the policy abort"
        in said
    )
    assert "pgqueue dead redrive pages 103" in said
    assert "part 4 is gone" in said


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        (
            {"state": "done", "callback_msg_id": 17, "callback_queue": "exports"},
            "its callback is message 17 of exports: not done yet",
        ),
        (
            {"state": "failed", "callback_msg_id": 17, "callback_queue": "e", "callback_finished_at": LATER},
            "its on_failure message is message 17 of e: done 2030-01-01 18:00:00Z",
        ),
        ({"state": "expired"}, "nothing was sent at its end"),
    ],
)
def test_what_was_sent_at_the_end_is_told(changes: dict[str, Any], told: str) -> None:
    ended = run_of(ended_at=THEN, kept_until=LATER, reason="part 3: boom", **changes)
    said = barrier_words.story(ended)
    assert said[-1] == told
    assert said[-2] == "ended 2030-01-01 12:00:00Z, kept until 2030-01-01 18:00:00Z: part 3: boom"
    assert barrier_words.advice(ended, [part(3, "dead")]) == []


def test_nearly_all_is_not_all() -> None:
    assert barrier_words.progress(run_of(parts=100_000, open=1, progress=0.99999)) == "99999/100000 (99 %)"


def test_no_text_of_a_barrier_reaches_the_terminal_raw(run: Run, calling: CallingClient) -> None:
    calling.answers["barrier.show"] = [run_of(state="failed", reason="\x1b[2J\nred", ended_at=THEN)]
    assert "\x1b" not in run("barriers", "show", "export-7").out


def test_json_of_one_barrier_is_one_object_with_its_missing_parts(run: Run) -> None:
    (line,) = run("barriers", "show", "export-7", "--json").out.splitlines()
    found = json.loads(line)
    assert (found["state"], found["open"], [one["part"] for one in found["missing"]]) == ("live", 2, [7, 31])
    assert set(found) == {*BarrierInfo._fields, "missing"}


def test_the_list_is_filtered_and_paged_by_the_database(run: Run, calling: CallingClient) -> None:
    calling.answers["barrier.list"] = [[run_of()]]
    words = ("--key", "export-7", "--state", "live", "--after", "120", "--qty", "5")
    assert "38/40 (95 %)" in run("barriers", "list", *words).out
    assert calling.asked == [("barrier.list", ("export-7", "export-7", "live", "live", 120, 120, 5))]
    assert json.loads(run("barriers", "list", "--json").out)["progress"] == 0.95


def test_a_misspelt_key_is_answered_with_the_right_one(run: Run, calling: CallingClient) -> None:
    calling.answers |= {"barrier.show": [None], "barrier.list": [[run_of()]]}
    ended = run("barriers", "show", "exprot-7")
    assert (ended.code, ended.out) == (1, "")
    assert "there is no barrier exprot-7. Did you mean export-7?" in ended.err


def test_a_generation_that_isnt_there_is_answered_with_those_that_are(
    run: Run, calling: CallingClient
) -> None:
    calling.answers |= {"barrier.show": [None], "barrier.list": [[run_of(), run_of(generation=9)]]}
    ended = run("barriers", "results", "export-7", "--generation", "11")
    assert ended.code == 1
    assert "has no generation 11. The newest are: 12, 9." in ended.err


def test_abort_needs_a_reason_and_where_nobody_can_be_asked_yes(run: Run, calling: CallingClient) -> None:
    assert run("barriers", "abort", "export-7", "--yes").code == 2
    ended = run("barriers", "abort", "export-7", "--reason", "enough")
    assert ended.code == 2
    assert "needs --yes" in ended.err
    assert "barrier.abort" not in calling.names()


@pytest.mark.parametrize(("typed", "code", "aborts"), [(b"y\n", 0, 1), (b"n\n", 1, 0), (b"\n", 1, 0)])
def test_somebody_is_asked_and_ends_the_very_run_that_was_shown(
    run: Run, calling: CallingClient, somebody_sits_there: None, typed: bytes, code: int, aborts: int
) -> None:
    calling.answers["barrier.list"] = [[run_of()]]
    calling.answers["barrier.abort"] = [Aborted.ABORTED]
    calling.answers["barrier.show"] = [run_of(state="aborted")]
    ended = run("barriers", "abort", "export-7", "--reason", "enough", stdin=typed)
    assert ended.code == code
    assert "38/40 (95 %) parts have ended" in ended.err
    assert [asked for asked in calling.asked if asked[0] == "barrier.abort"] == aborts * [
        ("barrier.abort", ("export-7", "enough", 12))
    ]


@pytest.mark.parametrize(("state", "code"), [("aborted", 0), ("done", 1), ("expired", 1)])
def test_what_was_over_before_is_said_and_only_an_abort_is_no_error(
    run: Run, calling: CallingClient, state: str, code: int
) -> None:
    calling.answers |= {"barrier.show": [run_of(state=state)], "barrier.abort": [Aborted.ENDED]}
    ended = run("barriers", "abort", "export-7", "--reason", "enough")
    assert (ended.code, ended.err) == (code, "")
    assert ended.out == f"barrier export-7, generation 12, was over before: {state}; nothing was changed\n"
