from __future__ import annotations

import json
import re
from typing import Any

import pytest

from pgqueue.barrier import Part, calls, settle
from pgqueue.barrier.model import SKIPPED_DUPLICATE_CALLBACK, Arrival, CallbackOf, PartOf
from pgqueue.call import Call, Repeat
from pgqueue.errors import InvalidInput
from pgqueue.message.model import Outcome

PART = PartOf("b", 7, 0)
CALLBACK = CallbackOf("b", 7)
ALL: dict[str, Call[Any]] = {
    "arm": calls.arm("b", [Part("files", 1)], Part("total", 2)),
    "add": calls.add(PART, [Part("files", 1)]),
    "arrive": calls.arrive(PART, {"n": 1}),
    "fail": calls.fail(PART, "boom"),
    "abort": calls.abort("b", "why"),
    "missing": calls.missing("b"),
    "results": calls.results("b", 7),
    "sweep": calls.sweep(),
    "forget": calls.forget(),
    "ring": calls.ring(["files"], [7]),
    "ack": settle.ack_parts("files", [1], [2], [PART], [None]),
    "bury": settle.bury_parts("files", [1], [2], [PART], ["why"], [None]),
    "callback": settle.callback_state("total", 1, CALLBACK),
    "finish": settle.finish_callback("total", 1, 2, CALLBACK),
}


@pytest.mark.parametrize("verb", ALL)
def test_a_call_names_its_verb_and_has_one_value_a_placeholder(verb: str) -> None:
    call = ALL[verb]
    assert call.name == f"barrier.{verb}"
    assert f"pgqueue.barrier_{verb}(" in call.sql
    assert call.sql.count("%s") == len(call.params)


def test_only_the_ring_may_commit_asynchronously() -> None:
    """An arrival that is lost after its ack was answered would strand the barrier."""
    assert [verb for verb, call in ALL.items() if call.may_commit_async] == ["ring"]
    assert re.fullmatch(r"select [^()]* from pgqueue\.\w+\(.*\)", ALL["ring"].sql)


def test_what_may_be_repeated() -> None:
    never = {verb for verb, call in ALL.items() if call.repeat is Repeat.NEVER}
    assert never == {"arm", "add", "fail"}


def test_whoever_waits_is_woken_where_something_was_sent() -> None:
    arm = calls.arm("b", [Part("z", 1), Part("a", 1), Part("z", 2)], Part("total", 2)).after_commit
    assert arm is not None
    assert "array['a', 'z']::text[]" in arm.sql
    empty = calls.arm("b", [], Part("total", 2)).after_commit
    assert empty is not None
    assert "array['total']::text[]" in empty.sql
    assert calls.add(PART, []).after_commit is None
    for verb in ("arrive", "fail", "ack", "bury"):
        ring = ALL[verb].after_commit
        assert ring is not None
        assert "array[7]::bigint[]" in ring.sql


def test_ring_is_due_only_when_a_barrier_ended() -> None:
    assert ALL["ack"].hint([(1, "done", False)]) is None
    assert ALL["ack"].hint([(1, "done", True)]) is ALL["ack"].after_commit
    assert ALL["arm"].hint([(None, False)]) is None


def test_repeated_ack_takes_what_is_gone_for_done() -> None:
    rows = [(1, "gone", False), (2, "stale", False), (3, "done", True)]
    call = settle.ack_parts("files", [1, 2, 3], [4, 4, 4], [PART] * 3, [None] * 3)
    assert call.result(rows) == {1: Outcome.GONE, 2: Outcome.STALE, 3: Outcome.DONE}
    assert call.result(rows, repeated=True) == {1: Outcome.DONE, 2: Outcome.STALE, 3: Outcome.DONE}


def test_single_part_answers_with_its_outcome() -> None:
    ack = settle.ack_part("files", 1, 2, PART, '"r"')
    bury = settle.bury_part("files", 1, 2, PART, "why")
    for call in (ack, bury):
        assert call.result([(1, "stale", False)]) is Outcome.STALE
        assert call.result([(1, "gone", False)], repeated=True) is Outcome.DONE
        assert call.after_commit is not None
    assert (ack.name, bury.name) == ("barrier.ack", "barrier.bury")


def test_results_travel_as_one_array_with_null_for_none() -> None:
    call = settle.ack_parts("files", [1, 2], [3, 3], [PART, PART._replace(part=1)], ['{"a":1}', None])
    assert json.loads(str(call.params[5])) == [{"a": 1}, None]
    assert call.params[3:5] == ([7, 7], [0, 1])


@pytest.mark.parametrize("short", ["receipts", "parts", "results"])
def test_arrays_have_one_element_a_message(short: str) -> None:
    given: dict[str, list[Any]] = {"receipts": [3, 3], "parts": [PART, PART], "results": [None, None]}
    given[short] = given[short][:1]
    with pytest.raises(InvalidInput, match=f"{short} has 1 elements for 2"):
        settle.ack_parts("files", [1, 2], given["receipts"], given["parts"], given["results"])


def test_results_that_are_too_much_at_once_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settle, "MAX_TEXT_BYTES", 10)
    with pytest.raises(InvalidInput, match="smaller batches"):
        settle.ack_parts("files", [1], [2], [PART], ['"0123456789"'])


def test_answers_are_read() -> None:
    assert ALL["arrive"].result([("fired", True)]) is Arrival.FIRED
    assert ALL["results"].result([(0, "done", None, "[1]"), (1, "failed", "boom", None)]) == [
        (0, "done", [1], None),
        (1, "failed", None, "boom"),
    ]
    (broken,) = ALL["results"].result([(0, "done", None, "[" * 1100 + "]" * 1100)])
    assert broken.result is None
    assert "can't be decoded" in (broken.error or "")
    assert ALL["sweep"].result([]) is None


@pytest.mark.parametrize("qty", [0, -1, 10_001, True, 1.5])
def test_pages_are_bounded(qty: Any) -> None:
    with pytest.raises(InvalidInput, match="qty"):
        calls.results("b", 1, qty=qty)
    with pytest.raises(InvalidInput, match="qty"):
        calls.missing("b", qty=qty)


def test_skip_result_is_the_documented_word() -> None:
    """U112"""
    assert SKIPPED_DUPLICATE_CALLBACK == "skipped_duplicate_callback"
