from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from pgqueue.barrier import Options, Part, rules
from pgqueue.barrier.model import TRANSPORT_MARK, CallbackOf, PartOf
from pgqueue.errors import InvalidInput, PayloadError
from pgqueue.message import calls as message_calls


@pytest.mark.parametrize(
    "headers",
    [
        None,
        7,
        [],
        {},
        {"pgqueue-part": None},
        {"pgqueue-part": "x"},
        {"pgqueue-part": {"barrier": "b", "generation": "1", "part": 0}},
        {"pgqueue-part": {"barrier": 5, "generation": 1, "part": 0}},
        {"pgqueue-part": {"generation": 1, "part": 0}},
    ],
)
def test_what_is_no_part_is_none_and_never_an_error(headers: Any) -> None:
    assert rules.part_of(headers) is None
    assert rules.callback_of(headers) is None


def test_headers_tell_part_and_callback() -> None:
    told = {"barrier": "b", "generation": 7}
    assert rules.part_of({"pgqueue-part": told | {"part": 0}, "x": 1}) == PartOf("b", 7, 0)
    assert rules.callback_of({"pgqueue-barrier": told}) == CallbackOf("b", 7)


def test_mark_is_taken_from_a_copy() -> None:
    """U104, U106: the handler never sees it, the message is left as it was."""
    kwargs = {"a": 1, TRANSPORT_MARK: True}
    assert rules.without_mark(kwargs) == {"a": 1}
    assert kwargs == {"a": 1, TRANSPORT_MARK: True}


def test_mark_of_a_user_is_refused() -> None:
    rules.refuse_mark({"a": 1})
    with pytest.raises(InvalidInput, match="_pg_transport is reserved"):
        rules.refuse_mark({TRANSPORT_MARK: False})


def test_result_is_refused_before_its_message_is_acked() -> None:
    """U88"""
    assert rules.result_text(None) is None
    assert rules.result_text([1, "é"]) == '[1,"é"]'
    with pytest.raises(PayloadError, match=r"\$\[0\]"):
        rules.result_text([object()])
    with pytest.raises(PayloadError, match="NUL"):
        rules.result_text("a\0b")
    with pytest.raises(PayloadError, match="16777217 bytes, at most 16777216"):
        rules.result_text("x" * (16_777_216 - 1))


def test_part_and_call_of_a_send_become_the_same() -> None:
    part = Part("files", {"n": 1}, headers={"h": "é"}, group_key='g"', priority=3)
    call = message_calls.send("files", {"n": 1}, headers={"h": "é"}, group_key='g"', priority=3)
    text = rules.sending_text(part, "x")
    assert rules.sending_text(call, "x") == text
    assert json.loads(text) == {
        "queue": "files",
        "message": {"n": 1},
        "headers": {"h": "é"},
        "group_key": 'g"',
        "priority": 3,
    }
    assert json.loads(rules.parts_text([Part("files", None), part])) == [
        {"queue": "files", "message": None},
        json.loads(text),
    ]
    assert rules.parts_text([]) == "[]"


@pytest.mark.parametrize(
    "parts",
    [
        "text",
        7,
        [7],
        [Part("Files", 1)],
        [Part("files", object())],
        [Part("files", 1, headers={"pgqueue-x": 1})],
        [Part("files", 1, group_key="")],
        [Part("files", 1, priority=10)],
        [message_calls.send("files", 1, delay=5)],
        [message_calls.send("files", 1, key="k")],
        [message_calls.delete("files", 1)],
    ],
)
def test_bad_parts_are_refused(parts: Any) -> None:
    with pytest.raises(InvalidInput):
        rules.parts_text(parts)


def test_too_many_parts_are_refused_before_they_are_encoded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rules, "MAX_PARTS", 2)
    with pytest.raises(InvalidInput, match="3 parts, at most 2"):
        rules.parts_text([Part("files", object())] * 3)


def test_options_are_written_out() -> None:
    assert json.loads(rules.options_text(Options())) == {
        "policy": "abort",
        "deadline": 21600.0,
        "stall_after": 9000.0,
        "retries": 3,
        "retention": 604800.0,
        "fire_empty": False,
        "new_generation": False,
    }
    more = Options(policy="collect", deadline=timedelta(minutes=5), on_failure=Part("total", "dead"))
    told = json.loads(rules.options_text(more))
    assert (told["policy"], told["deadline"]) == ("collect", 300)
    assert told["on_failure"] == {"queue": "total", "message": "dead"}


@pytest.mark.parametrize(
    "options",
    [
        {"policy": "hope"},
        {"deadline": 0.5},
        {"deadline": float("nan")},
        {"stall_after": "60"},
        {"retries": -1},
        {"retries": True},
        {"retention": 59},
    ],
)
def test_bad_options_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput, match=next(iter(options))):
        rules.options_text(Options(**options))


@pytest.mark.parametrize("key", ["", "x" * 256, None, "a\0b"])
def test_bad_keys_are_refused(key: str) -> None:
    with pytest.raises(InvalidInput):
        rules.check_barrier_key(key)
