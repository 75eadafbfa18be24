from __future__ import annotations

import json
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from pgqueue.call import Call
from pgqueue.errors import InvalidInput, PayloadError
from pgqueue.message import calls as message_calls
from pgqueue.reply import calls, rules
from pgqueue.reply.model import MAX_RESULT_BYTES, RESULT_MARK, Follows

A_SEND = message_calls.send("mails", {"to": "x"})


@pytest.mark.parametrize(
    "headers", [None, 7, [], {}, {"x": 1}, {"pgqueue-on-error": {}}, {"pgqueue-part": {}}]
)
def test_an_ack_owes_nothing_for_other_headers(headers: Any) -> None:
    assert not rules.owes(headers)
    assert rules.queue_after(headers) is None


def test_an_ack_owes_a_reply_or_what_follows() -> None:
    assert rules.owes({"pgqueue-reply": True})
    assert rules.owes({"pgqueue-on-success": {"queue": "mails", "message": 1}})
    assert rules.queue_after({"pgqueue-on-success": {"queue": "mails", "message": 1}}) == "mails"


@pytest.mark.parametrize(
    "told", [None, True, [], "mails", {}, {"queue": 7}, {"queue": "No; drop"}, {"queue": ""}]
)
def test_a_continuation_that_cant_be_ours_names_no_queue(told: Any) -> None:
    assert rules.queue_after({"pgqueue-on-success": told}) is None


def test_a_message_says_what_it_follows() -> None:
    headers = {"pgqueue-follows": {"queue": "orders", "msg_id": 7}}
    task = {"task": "t", "args": [], "kwargs": {RESULT_MARK: [1], "a": 2}}
    assert rules.follows_of(headers, task) == Follows("orders", 7, [1])
    dead = {
        "pgqueue-follows": {"queue": "orders", "msg_id": 7, "reason": "poison", "error": "boom", "key": "k"}
    }
    assert rules.follows_of(dead, {"task": "t"}) == Follows("orders", 7, None, "poison", "boom", "k", None)


@pytest.mark.parametrize(
    "headers", [None, [], {}, {"pgqueue-follows": 1}, {"pgqueue-follows": {"queue": "orders"}}]
)
@pytest.mark.parametrize("payload", [None, 1, [], {"kwargs": []}, {"kwargs": {RESULT_MARK: 1}}])
def test_any_other_message_follows_none(headers: Any, payload: Any) -> None:
    assert rules.follows_of(headers, payload) is None


@pytest.mark.parametrize("payload", [None, 1, [], {"kwargs": []}, {"task": "t"}])
def test_a_follower_without_a_result_has_none(payload: Any) -> None:
    found = rules.follows_of({"pgqueue-follows": {"queue": "orders", "msg_id": 7, "error": 5}}, payload)
    assert found == Follows("orders", 7)


def test_a_result_has_a_limit_that_its_error_names() -> None:
    assert rules.result_text(None) is None
    assert rules.result_text({"a": 1}) == '{"a":1}'
    assert rules.result_text("x" * (MAX_RESULT_BYTES - 2)) is not None
    with pytest.raises(PayloadError, match="1048576"):
        rules.result_text("x" * (MAX_RESULT_BYTES - 1))
    with pytest.raises(PayloadError):
        rules.result_text({1, 2})


def test_the_mark_of_a_result_is_reserved() -> None:
    rules.refuse_result_mark({"result": 1})
    with pytest.raises(InvalidInput, match=RESULT_MARK):
        rules.refuse_result_mark({RESULT_MARK: 1})


def test_a_continuation_carries_what_its_send_would() -> None:
    sent = message_calls.send("mails", {"to": "x"}, headers={"h": 1}, delay=60, priority=3)
    assert json.loads(rules.continuation_text(sent, "on_success")) == {
        "queue": "mails", "message": {"to": "x"}, "headers": {"h": 1}, "priority": 3, "delay": 60.0,
    }  # fmt: skip
    assert json.loads(rules.continuation_text(A_SEND, "on_error")) == {
        "queue": "mails",
        "message": {"to": "x"},
    }


def test_chains_nest_in_the_headers() -> None:
    third = message_calls.send("third", 3)
    second = calls.chain(message_calls.send("second", 2, headers={"h": 1}), on_success=third, on_error=A_SEND)
    found = json.loads(rules.continuation_text(second, "on_success"))
    assert found["headers"]["h"] == 1
    assert found["headers"]["pgqueue-on-success"] == {"queue": "third", "message": 3}
    assert found["headers"]["pgqueue-on-error"]["queue"] == "mails"


@pytest.mark.parametrize("more", [{"key": "k"}, {"group_key": "g"}])
def test_a_continuation_has_no_key_and_no_group(more: dict[str, str]) -> None:
    with pytest.raises(InvalidInput, match="on_error is sent with"):
        rules.continuation_text(message_calls.send("mails", 1, **more), "on_error")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "other",
    [
        "mails", None, {"queue": "mails"}, message_calls.read("mails"), message_calls.send_batch("mails", [1]),
        calls.request(A_SEND),
    ],
)  # fmt: skip
def test_only_the_call_of_a_send_can_be_sent_later(other: Any) -> None:
    with pytest.raises(InvalidInput, match="call of a send"):
        rules.sent_by(other, "call")


@pytest.mark.parametrize("ttl", [0, 0.9, float("nan"), float("inf"), True, "1", timedelta(days=367)])
def test_a_ttl_has_limits(ttl: Any) -> None:
    with pytest.raises(InvalidInput, match="ttl"):
        rules.check_ttl(ttl)


def test_a_ttl_is_seconds_or_a_timedelta() -> None:
    assert rules.check_ttl(1) == 1.0
    assert rules.check_ttl(timedelta(hours=1)) == 3600.0
    assert rules.check_timeout(0) == 0.0


def test_the_id_of_a_reply_is_a_uuid() -> None:
    text = "7e9ccb4e-3a50-4d3e-a0e3-111111111111"
    assert rules.check_reply_id(UUID(text)) == text
    for wrong in ("x", 7, None, "'; drop"):
        with pytest.raises(InvalidInput, match="reply_id"):
            rules.check_reply_id(wrong)


def test_a_call_without_a_queue_is_refused() -> None:
    with pytest.raises(InvalidInput):
        rules.sent_by(Call("message.send", "", (), lambda _: 1), "call")
