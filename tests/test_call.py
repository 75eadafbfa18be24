from __future__ import annotations

import dataclasses

import pytest

from pgqueue.call import Call, Repeat, Rows, column, nothing, scalar


def test_a_call_is_a_value() -> None:
    call = Call("room.verb", "select %s", (1,), scalar)
    assert call == Call("room.verb", "select %s", (1,), scalar)
    assert call.repeat is Repeat.NEVER
    with pytest.raises(dataclasses.FrozenInstanceError):
        call.sql = "select 2"  # type: ignore[misc]


def test_the_answer_of_a_repeated_run_can_be_read_differently() -> None:
    def first(rows: Rows) -> str:
        return "first"

    def again(rows: Rows) -> str:
        return "again"

    assert Call("a.b", "", (), first).result([], repeated=True) == "first"
    both = Call("a.b", "", (), first, parse_repeated=again)
    assert [both.result([]), both.result([], repeated=True)] == ["first", "again"]


def test_parsers_read_one_value_one_column_or_nothing() -> None:
    assert scalar([(7,)]) == 7
    assert column([(1,), (2,)]) == [1, 2]
    nothing([("",)])


def test_a_hint_is_due_when_the_last_column_of_the_answer_says_so() -> None:
    ring: Call[None] = Call("a.ring", "select 2", (), nothing)
    plain, ringing = Call("a.b", "", (), scalar), Call("a.b", "", (), scalar, after_commit=ring)
    assert ringing.hint([(7, True)]) is ring
    assert ringing.hint([(7, False), (8, True)]) is ring
    for rows in ([], [(7, False)], [(7, None)], [(1,)]):
        assert ringing.hint(rows) is None
    assert plain.hint([(7, True)]) is None
    assert ringing.result([(7, True)]) == 7
