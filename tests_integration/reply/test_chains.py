"""Chains by SQL: what follows a message is sent with its end, or its end doesn't take place."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from psycopg.types.json import Jsonb

from pgqueue.reply.model import RESULT_MARK
from tests_integration.fixtures.database import Database
from tests_integration.fixtures.verbs import at_once, configure_queue, create_queue, refused, rows, scalar
from tests_integration.reply.desk import ALARM, MAIL, Desk


def follows(msg_id: int, **more: Any) -> dict[str, Any]:
    return {"pgqueue-follows": {"queue": "orders", "msg_id": msg_id, **more}}


def test_on_success_is_sent_with_the_ack_and_gets_the_result(desk: Desk) -> None:
    msg_id = desk.send(on_success=MAIL, on_error=ALARM)
    (message,) = desk.read()
    assert desk.ack([message], [{"total": 5}]) == [(msg_id, "done", True)]
    task = {"task": "mail", "args": [], "kwargs": {"to": "x", RESULT_MARK: {"total": 5}}}
    assert desk.sent("mails") == [(task, follows(msg_id))]
    assert desk.sent("alarms") == []


def test_on_error_is_sent_with_the_burial_and_told_why(desk: Desk) -> None:
    headers = {"pgqueue-key": "7", "pgqueue-scope": "acme", "mine": 1}
    msg_id = desk.send(on_success=MAIL, on_error=ALARM, headers=headers)
    (message,) = desk.read()
    bury(desk, message)
    told = follows(msg_id, reason="bad", error="boom", key="7", scope="acme")
    assert desk.sent("alarms") == [({"task": "alarm"}, told)]
    assert desk.sent("mails") == []
    assert [one.error for one in desk.dead()] == ["boom"]


def bury(desk: Desk, message: Any, error: str = "boom") -> None:
    desk.queue().call("bury", msg_id=message.msg_id, reason="bad", error=error, receipt=message.receipt)


def test_what_follows_is_one_transaction_with_the_end(database: Database, desk: Desk) -> None:
    desk.send(on_success=MAIL, on_error=ALARM)
    (message,) = desk.read()
    other = Desk(database.connect(autocommit=False), desk.kind)
    for end in (lambda: other.ack([message], [1]), lambda: bury(other, message)):
        end()
        other.db.rollback()
        assert desk.sent("mails") == desk.sent("alarms") == desk.dead() == []
    desk.ack([message], [1])
    assert len(desk.sent("mails")) == 1


def test_a_stale_or_repeated_ack_sends_nothing(database: Database, desk: Desk) -> None:
    desk.send(on_success=MAIL)
    (first,) = desk.read()
    desk.queue().call("release", msg_id=first.msg_id, receipt=first.receipt)
    (second,) = desk.read()
    assert desk.ack([first])[0] == (first.msg_id, "stale", False)
    assert desk.sent("mails") == []
    others = [Desk(database.connect(), desk.kind) for _ in range(4)]
    outcomes = at_once(*[lambda one=one: one.ack([second])[0].outcome for one in others])
    assert sorted(outcomes) == ["done", "gone", "gone", "gone"]
    assert desk.ack([second, second])[0].outcome == "gone"
    assert len(desk.sent("mails")) == 1


def test_a_message_named_twice_in_one_ack_is_followed_once(desk: Desk) -> None:
    desk.send(on_success=MAIL)
    (message,) = desk.read()
    desk.ack([message, message], [1, 2])
    (sent,) = desk.sent("mails")
    assert sent[0]["kwargs"][RESULT_MARK] == 1


def test_the_hard_cap_sends_on_error(desk: Desk) -> None:
    configure_queue(desk.db, "orders", max_reads=1, repark_budget=0)
    msg_id = desk.send(on_error=ALARM)
    (message,) = desk.read()
    desk.queue().call("retry", msg_id=msg_id, delay="0", error="boom", receipt=message.receipt)
    assert desk.read() == []
    assert desk.sent("alarms") == [({"task": "alarm"}, follows(msg_id, reason="hard_cap", error="boom"))]


def test_on_error_may_be_in_the_queue_of_what_died(desk: Desk) -> None:
    configure_queue(desk.db, "orders", max_reads=1, repark_budget=0)
    msg_id = desk.send(on_error={"queue": "orders", "message": "sorry"})
    (message,) = desk.read()
    desk.queue().call("retry", msg_id=msg_id, delay="0", receipt=message.receipt)
    found = [*desk.read(), *desk.read()]
    assert [(one.message, one.headers) for one in found] == [("sorry", follows(msg_id, reason="hard_cap"))]


def test_a_plain_message_that_follows_is_sent_as_it_is(desk: Desk) -> None:
    msg_id = desk.send(on_success={"queue": "mails", "message": [1, 2], "headers": {"h": 1}, "priority": 3})
    desk.ack(desk.read(), [9])
    assert desk.sent("mails") == [([1, 2], {"h": 1} | follows(msg_id))]
    assert scalar(desk.db, "select priority from pgqueue.q_mails") == 3


def test_what_follows_may_be_delayed(desk: Desk) -> None:
    desk.send(on_success=MAIL | {"delay": 60})
    desk.ack(desk.read())
    assert scalar(desk.db, "select state from pgqueue.q_mails") == "delayed"


def test_chains_of_chains_go_link_by_link(desk: Desk) -> None:
    third = {"queue": "alarms", "message": {"task": "third"}}
    inner = desk.chain(on_success=third, headers={"h": 2})
    first = desk.send(on_success={"queue": "orders", "message": {"task": "second"}, "headers": inner})
    desk.ack(desk.read(), ["a"])
    (second,) = desk.read()
    assert second.message == {"task": "second", "kwargs": {RESULT_MARK: "a"}}
    assert second.headers == inner | follows(first)
    desk.ack([second], ["b"])
    (last,) = desk.sent("alarms")
    assert last == ({"task": "third", "kwargs": {RESULT_MARK: "b"}}, follows(second.msg_id))


def test_a_message_may_be_replied_to_and_followed(desk: Desk) -> None:
    asked = desk.request(headers=desk.chain(on_success=MAIL, on_error=ALARM))
    desk.ack(desk.read(), [5])
    assert desk.reply(asked.reply_id).result == 5
    assert len(desk.sent("mails")) == 1
    asked = desk.request(headers=desk.chain(on_success=MAIL, on_error=ALARM))
    bury(desk, desk.read()[0])
    assert desk.reply(asked.reply_id).state == "failed"
    assert len(desk.sent("alarms")) == 1


def test_many_ends_in_one_call_send_what_follows_each(desk: Desk) -> None:
    ids = [desk.send(on_success=MAIL) for _ in range(30)]
    desk.queue().send(0)
    desk.ack(desk.read(), list(range(31)))
    found = desk.sent("mails")
    assert sorted(headers["pgqueue-follows"]["msg_id"] for _, headers in found) == ids
    assert sorted(message["kwargs"][RESULT_MARK] for message, _ in found) == list(range(30))


def test_a_redriven_message_is_followed_again(desk: Desk) -> None:
    desk.send(on_success=MAIL, on_error=ALARM)
    bury(desk, desk.read()[0])
    desk.queue().rows("redrive")
    desk.ack(desk.read())
    assert (len(desk.sent("alarms")), len(desk.sent("mails"))) == (1, 1)


BREAKS: dict[str, Callable[[Desk], object]] = {
    "its queue was dropped": lambda desk: scalar(desk.db, "select pgqueue.drop_queue('mails')"),
    "its queue takes only smaller ones": lambda desk: configure_queue(desk.db, "mails", payload_limit=60),
}


@pytest.mark.parametrize("break_it", BREAKS.values(), ids=BREAKS)
def test_an_ack_whose_on_success_cant_be_sent_rolls_back_whole(
    desk: Desk, break_it: Callable[[Desk], object]
) -> None:
    asked = desk.request(headers=desk.chain(on_success=MAIL))
    desk.queue().send(0)
    messages = desk.read()
    break_it(desk)
    error = refused("PQ014", lambda: desk.ack(messages, ["x" * 50, None]))
    assert f"on_success of message {asked.msg_id}" in str(error)
    assert len(desk.queue().ids()) == 2
    assert desk.reply(asked.reply_id).state == "waiting"
    scalar(desk.db, "select pgqueue.drop_queue('mails', true)")
    create_queue(desk.db, "mails", desk.kind)
    assert {row.outcome for row in desk.ack(messages, ["x" * 50, None])} == {"done"}
    assert len(desk.sent("mails")) == 1


def test_an_on_error_that_cant_be_sent_keeps_nobody_alive(desk: Desk) -> None:
    asked = desk.request(headers=desk.chain(on_error=ALARM))
    (message,) = desk.read()
    scalar(desk.db, "select pgqueue.drop_queue('alarms')")
    bury(desk, message, error="e" * 9000)
    (dead,) = desk.dead()
    assert dead.error.startswith("eeee")
    assert dead.error.endswith('; on_error can\'t be sent: queue "alarms" does not exist')
    assert desk.reply(asked.reply_id).state == "failed"


def test_what_is_owed_is_read_from_the_queue_and_not_from_who_acks(desk: Desk) -> None:
    msg_id = desk.queue().send(1)
    desk.queue("mails").send(2, headers=desk.chain(on_success=ALARM))
    (other,) = desk.read("mails")
    desk.read()
    assert desk.ack([other], receipts=[other.receipt])[0].outcome in ("stale", "gone")
    assert desk.sent("alarms") == []
    assert desk.queue().ids() == [msg_id]


def test_a_forged_reply_header_replies_to_nobody(desk: Desk) -> None:
    desk.request()
    desk.queue().send(1, headers={"pgqueue-reply": True})
    first, second = sorted(desk.read(), key=lambda one: one.msg_id)
    desk.ack([second], ["forged"])
    bury(desk, first)
    assert [tuple(row) for row in rows(desk.db, "select msg_id, state, result from pgqueue.reply")] == [
        (first.msg_id, "failed", None)
    ]


BAD = {
    "no object": [1],
    "no queue": {"message": 1},
    "no message": {"queue": "mails"},
    "something else": MAIL | {"key": "k"},
    "priority": MAIL | {"priority": 10},
    "delay": MAIL | {"delay": -1},
    "delay that is no number": MAIL | {"delay": "soon"},
    "headers": MAIL | {"headers": [1]},
    "a reserved header": MAIL | {"headers": {"pgqueue-x": 1}},
    "a request": MAIL | {"headers": {"pgqueue-reply": True}},
    "a reserved argument": {"queue": "mails", "message": {"task": "t", "kwargs": {RESULT_MARK: 1}}},
    "the argument of a barrier": {"queue": "mails", "message": {"task": "t", "kwargs": {"_pg_transport": 1}}},
    "too large": {"queue": "mails", "message": "x" * 13_000},
    "a bad link of a link": MAIL
    | {"headers": {"pgqueue-on-success": MAIL | {"headers": {"pgqueue-on-error": MAIL | {"delay": -1}}}}},
}


@pytest.mark.parametrize("name", ["on_success", "on_error"])
@pytest.mark.parametrize("bad", BAD.values(), ids=BAD)
def test_a_continuation_that_cant_be_is_refused_when_it_is_given(
    row_desk: Desk, name: str, bad: object
) -> None:
    refused("PQ002", lambda: row_desk.chain(**{name: bad}))


def test_the_queues_of_all_links_must_exist(row_desk: Desk) -> None:
    nowhere = {"queue": "nowhere", "message": 1}
    link = {"pgqueue-on-error": MAIL | {"headers": {"pgqueue-on-success": nowhere}}}
    refused("PQ001", lambda: row_desk.chain(on_success=nowhere))
    refused("PQ001", lambda: row_desk.chain(on_error=MAIL | {"headers": link}))


@pytest.mark.parametrize("headers", [{"pgqueue-on-success": 1}, {"pgqueue-on-error": {"queue": "mails"}}])
def test_headers_written_by_hand_have_at_least_the_shape(desk: Desk, headers: dict[str, Any]) -> None:
    error = refused("PQ002", lambda: desk.queue().send(1, headers=headers))
    assert "chain" in str(error.diag.message_hint)


def test_no_continuation_is_no_header(row_desk: Desk) -> None:
    assert row_desk.chain() is None
    assert row_desk.chain(headers={"a": 1}) == {"a": 1}


OWED = [{"pgqueue-reply": True}, {"pgqueue-on-success": MAIL}, {"pgqueue-on-error": ALARM}]


@pytest.mark.parametrize("headers", OWED)
def test_messages_of_a_barrier_have_neither_reply_nor_continuation(
    row_desk: Desk, headers: dict[str, Any]
) -> None:
    part, arm = {"queue": "orders", "message": 1}, "select pgqueue.barrier_arm('b', %s, %s, %s)"

    def armed(*given: object) -> object:
        return scalar(row_desk.db, arm, *map(Jsonb, given))

    refused("PQ002", lambda: armed([part | {"headers": headers}], MAIL, {}))
    refused("PQ002", lambda: armed([part], MAIL | {"headers": headers}, {}))
    refused("PQ002", lambda: armed([part], MAIL, {"on_failure": MAIL | {"headers": headers}}))
    forged = {"pgqueue-part": {"barrier": "b", "generation": 1, "part": 0}}
    refused("PQ002", lambda: row_desk.queue().send(1, headers=headers | forged))
    assert armed([part], MAIL, {}) is not None
