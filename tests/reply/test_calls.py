"""What is sent for a request or a chain, and how its answer is read."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pgqueue.call import Repeat
from pgqueue.errors import InvalidInput
from pgqueue.message import calls as message_calls
from pgqueue.message.doorbell import ring
from pgqueue.message.model import Outcome
from pgqueue.reply import calls, settle
from pgqueue.reply.model import Reply, ReplyState, Requested

ID = "7e9ccb4e-3a50-4d3e-a0e3-111111111111"
A_SEND = message_calls.send("orders", {"n": 1}, headers={"h": 1}, priority=2)
MAIL = message_calls.send("mails", 2)
ALARM = message_calls.send("alarms", 3)


def test_a_chain_is_the_send_with_checked_headers() -> None:
    call = calls.chain(A_SEND, on_success=MAIL, on_error=ALARM)
    message, on_success, on_error, headers, *rest = call.params
    assert (message, headers, rest) == ('{"n":1}', '{"h":1}', [0.0, None, None, 2])
    assert json.loads(str(on_success)) == {"queue": "mails", "message": 2}
    assert json.loads(str(on_error)) == {"queue": "alarms", "message": 3}
    assert "pgqueue.chain(" in call.sql
    assert call.sql.count("%s") == len(call.params)
    assert (call.queue, call.repeat, call.after_commit) == ("orders", Repeat.NEVER, ring("orders"))
    assert call.result([(41, True)]) == 41


def test_a_chain_can_be_given_in_two_steps() -> None:
    whole = calls.chain(A_SEND, on_success=MAIL, on_error=ALARM)
    assert calls.chain(calls.chain(A_SEND, on_success=MAIL), on_error=ALARM).params == whole.params


def test_a_chain_with_a_key_is_safe_to_repeat_and_a_delayed_one_rings_nobody() -> None:
    call = calls.chain(message_calls.send("orders", 1, key="k", delay=5), on_success=MAIL)
    assert (call.repeat, call.after_commit) == (Repeat.ALWAYS, None)


def test_a_request_sends_and_tells_both_ids() -> None:
    call = calls.request(A_SEND, ttl=60)
    assert call.params == ("orders", '{"n":1}', 60.0, '{"h":1}', 0.0, None, None, 2)
    assert call.sql.count("%s") == len(call.params)
    assert call.result([(ID, 7, False)]) == Requested(ID, 7)
    assert (call.repeat, call.after_commit) == (Repeat.NEVER, ring("orders"))
    assert calls.request(message_calls.send("orders", 1, key="k")).repeat is Repeat.ALWAYS


def test_a_request_may_have_continuations() -> None:
    call = calls.request(calls.chain(A_SEND, on_error=ALARM))
    assert call.sql.count("%s") == len(call.params)
    assert call.params[3] is None
    assert json.loads(str(call.params[4]))["queue"] == "alarms"
    assert call.params[5] == '{"h":1}'


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        (("waiting", None, None, None), Reply(ReplyState.WAITING, None, None, None)),
        (("done", None, None, '{"a":1}'), Reply(ReplyState.DONE, None, None, {"a": 1})),
        (("failed", "poison", "boom", None), Reply(ReplyState.FAILED, "poison", "boom", None)),
        (("unknown", None, None, None), Reply(ReplyState.UNKNOWN, None, None, None)),
    ],
)
def test_a_reply_is_read(row: tuple[Any, ...], expected: Reply) -> None:
    call = calls.get(ID)
    assert (call.params, call.repeat) == ((ID, True), Repeat.ALWAYS)
    assert call.result([row]) == expected


def test_a_reply_that_cant_be_decoded_has_failed() -> None:
    found = calls.get(ID, look=False).result([("done", None, None, "1e400")])
    assert (found.state, found.reason, found.result) == (ReplyState.FAILED, "broken", None)


@pytest.mark.parametrize("qty", [0, 10_001, True, "1", None])
def test_how_many_are_forgotten_at_once_has_limits(qty: Any) -> None:
    with pytest.raises(InvalidInput):
        calls.forget(qty)


def test_an_ack_with_results_is_fenced_and_read_by_id() -> None:
    call = settle.ack_with("orders", [1, 2], [11, 12], ['{"a":1}', None], archive=True)
    assert call.params == ("orders", [1, 2], [11, 12], '[{"a":1},null]', True)
    assert (call.repeat, call.may_commit_async) == (Repeat.ALWAYS, False)
    rows = [(1, "done", True), (2, "gone", True)]
    assert call.result(rows) == {1: Outcome.DONE, 2: Outcome.GONE}
    assert call.result(rows, repeated=True) == {1: Outcome.DONE, 2: Outcome.DONE}
    one = settle.ack_one_with("orders", 2, 12, None)
    assert one.result([(2, "stale", False)]) is Outcome.STALE
    assert one.result([(2, "gone", False)], repeated=True) is Outcome.DONE


def test_each_message_has_its_receipt_and_its_result() -> None:
    with pytest.raises(InvalidInput, match="receipts"):
        settle.ack_with("orders", [1, 2], [11], [None, None])
    with pytest.raises(InvalidInput, match="results"):
        settle.ack_with("orders", [1, 2], [11, 12], [None])
