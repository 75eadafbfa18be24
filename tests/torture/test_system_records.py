"""What the system's torture run writes down, without running anything."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from pgqueue.barrier import settle
from pgqueue.barrier.model import CallbackOf, PartOf
from pgqueue.call import Call
from pgqueue.claim import calls as claims
from pgqueue.message import calls
from pgqueue.message.model import Outcome
from tests_integration.torture.system import tap
from tests_integration.torture.system.deaths import killed_by_supervisors
from tests_integration.torture.system.recorder import History, micros, payload_hash, uid_of

CLAIMING = [calls.read("q", vt=3, qty=2, holder="h"), calls.read_or_await("q", 2, vt=3, qty=2, holder="h")]
PARTS = [PartOf("b", 9, 0), PartOf("b", 9, 1)]
SETTLING: dict[str, list[Call[Any]]] = {
    "ack": [
        calls.delete("q", 7, 1),
        calls.delete_batch("q", [7, 8], [1, 1]),
        calls.archive_batch("q", [7, 8], [1, 2]),
        settle.ack_parts("q", [7, 8], [1, 2], PARTS, ["1", None]),
        settle.ack_parts("q", [7, 8], [1, 2], PARTS, [None, None], archive=True),
        settle.finish_callback("q", 7, 1, CallbackOf("b", 9)),
    ],
    "nack": [
        calls.release_batch("q", [7, 8], [1, 1]),
        calls.release_batch("q", [7, 8], [1, 1], [0.5, 2]),
        calls.retry_batch("q", [7, 8], [0.5, 2], ["a", "b"], [1, 1]),
    ],
    "dead": [
        calls.bury_batch("q", [7, 8], ["poison", "told"], None, [1, 1]),
        settle.bury_parts("q", [7, 8], [1, 2], PARTS, ["poison", "told"], [None, "x"]),
    ],
    "extend": [calls.set_vt_batch("q", [7, 8], 3, [1, 1])],
}


@pytest.fixture
def history(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tap, "_history", History(tmp_path, "consumer-0.1", "consumer"))
    return tmp_path / "history-consumer-0.1.jsonl"


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.mark.parametrize("call", CLAIMING)
def test_a_claim_is_written_down_with_what_it_asks_for(call: Call[Any], history: Path) -> None:
    assert tap._Line.of(call, async_commit=True) is not None
    written = lines(history)[-1]
    assert (written["op"], written["qty"], written["vt_us"]) == ("claim", 2, 3_000_000)


@pytest.mark.parametrize(("op", "call"), [(op, call) for op, some in SETTLING.items() for call in some])
def test_a_settle_is_written_down_with_a_receipt_for_each_id(op: str, call: Call[Any], history: Path) -> None:
    line = tap._Line.of(call, async_commit=True)
    assert line is not None
    written = lines(history)[-1]
    assert written["op"] == op
    ids = written["ids"]
    assert len(ids) == len(written["receipts"])
    assert ids[0] == 7
    for name in ("hide_us", "reason"):
        assert len(written.get(name, ids)) == len(ids)


@pytest.mark.parametrize(("archive", "verb"), [(False, "delete"), (True, "archive")])
def test_the_ack_of_a_part_says_how_it_ends(history: Path, archive: bool, verb: str) -> None:
    tap._Line.of(settle.ack_parts("q", [7], [1], PARTS[:1], [None], archive=archive), async_commit=True)
    written = lines(history)[-1]
    assert (written["verb"], written["async"]) == (verb, False)


@pytest.mark.parametrize(
    ("op", "call", "token"),
    [
        ("try_claim", claims.try_claim("n", "k", 3, "me"), None),
        ("renew_claim", claims.renew("n", "k", 4, 3), 4),
        ("finish_claim", claims.finish("n", "k", 4, 3), 4),
        ("release_claim", claims.release("n", "k", 4), 4),
    ],
)
def test_what_is_said_about_a_claim_is_written_down(
    op: str, call: Call[Any], token: int | None, history: Path
) -> None:
    line = tap._Line.of(call, async_commit=False)
    assert line is not None
    line.answered(datetime(1970, 1, 1, tzinfo=UTC) if op == "renew_claim" else 5)
    asked, answered = lines(history)[-2:]
    assert (asked["op"], asked["name"], asked["key"], asked["token"]) == (op, "n", "k", token)
    assert answered["answer"] == (0 if op == "renew_claim" else 5)


def test_what_neither_claims_nor_settles_is_not_written_down(history: Path) -> None:
    assert tap._Line.of(calls.peek("q"), async_commit=True) is None
    assert len(lines(history)) == 1


def test_one_outcome_for_an_id_that_is_given_twice_is_nobodys(history: Path) -> None:
    line = tap._Line.of(calls.delete_batch("q", [7, 8, 7], [1, 1, 2]), async_commit=True)
    assert line is not None
    line.answered({7: Outcome.DONE, 8: Outcome.DONE})
    assert lines(history)[-1]["outcomes"] == [None, "done", None]


def test_a_worker_ended_by_its_supervisor_is_declared(tmp_path: Path) -> None:
    events = [
        {"event": "worker.replaced", "pid": 1, "reason": "stale"},
        {"event": "worker.stopped", "pid": 1, "how": "SIGKILL by its supervisor"},
        {"event": "worker.stopped", "pid": 2, "how": "SIGTERM"},
        {"event": "worker.stopped", "pid": 3, "how": "exit code 0"},
        {"event": "worker.died", "pid": 4, "how": "SIGKILL"},
    ]
    told = "".join(json.dumps(event) + "\n" for event in events)
    (tmp_path / "log-consumer-0.log").write_text("no json\n" + told)
    assert list(killed_by_supervisors(tmp_path)) == [(1, "stale"), (2, "stopped")]


def test_the_last_line_is_written_once_and_nothing_after_it(tmp_path: Path) -> None:
    history = History(tmp_path, "parent", "parent")
    history.close()
    history.close()
    history.note("phase", phase="stopped")
    assert [(one["op"], one["type"]) for one in lines(tmp_path / "history-parent.jsonl")] == [
        ("process", "invoke"),
        ("process", "ok"),
    ]


def test_a_hash_is_of_the_content() -> None:
    assert payload_hash({"a": 1, "b": [2]}) == payload_hash({"b": [2], "a": 1})
    assert payload_hash({"a": 1}) != payload_hash({"a": 2})


def test_the_uid_is_found_where_there_is_one() -> None:
    assert uid_of({"task": "t", "args": [], "kwargs": {"uid": "u"}}) == "u"
    assert uid_of({"uid": "u"}) == "u"
    assert uid_of([1]) is None


def test_an_instant_keeps_its_microseconds() -> None:
    assert micros(datetime(2030, 1, 1, 0, 0, 0, 1, tzinfo=UTC)) == 1_893_456_000_000_001
    assert micros(None) is None
