"""Replies by SQL: one a request, written with what ends the message, never lost in silence."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any
from uuid import uuid4

import psycopg
import pytest

from tests_integration.fixtures.clock import Clock
from tests_integration.fixtures.database import Database
from tests_integration.fixtures.verbs import Background, at_once, configure_queue, refused, rows, scalar
from tests_integration.fixtures.waiting import wait_until_blocked
from tests_integration.reply.desk import Desk


def test_reply_is_written_with_the_ack(desk: Desk) -> None:
    asked = desk.request({"n": 1})
    assert desk.reply(asked.reply_id) == ("waiting", None, None, None)
    (message,) = desk.read()
    assert message.msg_id == asked.msg_id
    assert message.message == {"n": 1}
    assert desk.ack([message], [{"total": 5}]) == [(asked.msg_id, "done", False)]
    assert desk.reply(asked.reply_id) == ("done", None, None, {"total": 5})
    assert desk.queue().ids() == []


def test_reply_and_ack_are_one_transaction(database: Database, desk: Desk) -> None:
    asked = desk.request()
    (message,) = desk.read()
    other = Desk(database.connect(autocommit=False), desk.kind)
    other.ack([message], [1])
    assert desk.reply(asked.reply_id).state == "waiting"
    other.db.rollback()
    assert desk.reply(asked.reply_id).state == "waiting"
    assert desk.queue().ids() == [asked.msg_id]
    other.ack([message], [2])
    other.db.commit()
    assert desk.reply(asked.reply_id).result == 2


def test_first_reply_stands(desk: Desk) -> None:
    asked = desk.request()
    (first,) = desk.read()
    desk.queue().call("set_vt", msg_id=first.msg_id, vt="0.1 s", receipt=first.receipt)
    desk.queue().call("release", msg_id=first.msg_id, receipt=first.receipt)
    (second,) = desk.read()
    assert desk.ack([first], ["stale"]) == [(asked.msg_id, "stale", False)]
    assert desk.reply(asked.reply_id).state == "waiting"
    assert desk.ack([second], ["second"]) == [(asked.msg_id, "done", False)]
    assert desk.ack([first], ["late"]) == [(asked.msg_id, "gone", False)]
    scalar(desk.db, "select pgqueue.end_reply('orders', %s, 'done', '\"third\"', null, null)", asked.msg_id)
    assert desk.reply(asked.reply_id).result == "second"


def test_two_holders_at_once_write_one_reply(database: Database, desk: Desk) -> None:
    asked = desk.request()
    (message,) = desk.read()
    others = [Desk(database.connect(), desk.kind) for _ in range(4)]
    answers = at_once(*[lambda n=n, one=one: one.ack([message], [n]) for n, one in enumerate(others)])
    outcomes = [answer[0].outcome for answer in answers]
    assert sorted(outcomes) == ["done", "gone", "gone", "gone"]
    assert desk.reply(asked.reply_id).result == outcomes.index("done")


def test_many_replies_come_with_one_ack_and_none_for_who_did_not_ask(desk: Desk) -> None:
    plain = desk.queue().send(0)
    asked = [desk.request(n) for n in range(20)]
    messages = desk.read()
    found = desk.ack(messages, [None if one.msg_id == plain else one.message * 10 for one in messages])
    assert {row.outcome for row in found} == {"done"}
    assert [desk.reply(one.reply_id).result for one in asked] == [n * 10 for n in range(20)]
    assert scalar(desk.db, "select count(*) from pgqueue.reply") == 20


def test_an_ack_without_results_replies_with_nothing(desk: Desk) -> None:
    asked = desk.request()
    desk.ack(desk.read())
    assert desk.reply(asked.reply_id) == ("done", None, None, None)


def test_archived_requests_are_replied_to(desk: Desk) -> None:
    asked = desk.request()
    desk.ack(desk.read(), [1], archive=True)
    assert desk.reply(asked.reply_id).result == 1
    assert scalar(desk.db, "select count(*) from pgqueue.a_orders") == 1


BURIALS: dict[str, Callable[[Desk, Any], object]] = {
    "bury": lambda desk, m: desk.queue().call("bury", msg_id=m.msg_id, reason="bad", error="boom", receipt=m.receipt),
    "bury_batch": lambda desk, m: desk.queue().rows(
        "bury_batch", msg_ids=[m.msg_id], reasons=["bad"], errors=["boom"], receipts=[m.receipt]
    ),
    "by hand": lambda desk, m: desk.queue().call("bury", msg_id=m.msg_id, reason="bad", error="boom"),
}  # fmt: skip


@pytest.mark.parametrize("bury", BURIALS.values(), ids=BURIALS)
def test_burial_writes_the_error_reply(desk: Desk, bury: Callable[[Desk, Any], object]) -> None:
    asked = desk.request()
    (message,) = desk.read()
    bury(desk, message)
    assert desk.reply(asked.reply_id) == ("failed", "bad", "boom", None)


def test_burial_and_error_reply_are_one_transaction(database: Database, desk: Desk) -> None:
    asked = desk.request()
    (message,) = desk.read()
    other = Desk(database.connect(autocommit=False), desk.kind)
    BURIALS["bury"](other, message)
    other.db.rollback()
    assert desk.reply(asked.reply_id).state == "waiting"
    assert desk.ack([message], [1])[0].outcome == "done"


def test_the_hard_cap_writes_the_error_reply(desk: Desk) -> None:
    configure_queue(desk.db, "orders", max_reads=1, repark_budget=0)
    asked = desk.request()
    (message,) = desk.read()
    desk.queue().call("retry", msg_id=message.msg_id, delay="0", error="boom", receipt=message.receipt)
    assert desk.read() == []
    assert desk.reply(asked.reply_id) == ("failed", "hard_cap", "boom", None)


def test_a_redriven_message_replies_to_nobody(desk: Desk) -> None:
    asked = desk.request()
    (message,) = desk.read()
    BURIALS["bury"](desk, message)
    desk.queue().rows("redrive")
    desk.ack(desk.read(), ["late"])
    assert desk.reply(asked.reply_id).state == "failed"


LOSSES: dict[str, Callable[[Desk], object]] = {
    "delete": lambda desk: desk.queue().call("delete", msg_id=desk.queue().ids()[0]),
    "pop": lambda desk: desk.queue().rows("pop"),
    "purge": lambda desk: scalar(desk.db, "select pgqueue.purge_queue('orders')"),
    "drop": lambda desk: scalar(desk.db, "select pgqueue.drop_queue('orders', true)"),
}


@pytest.mark.parametrize("lose", LOSSES.values(), ids=LOSSES)
def test_a_message_that_went_without_a_reply_is_seen_by_who_asks(
    desk: Desk, lose: Callable[[Desk], object]
) -> None:
    asked = desk.request()
    lose(desk)
    assert desk.reply(asked.reply_id, look=False).state == "waiting"
    for look in (True, False):
        found = desk.reply(asked.reply_id, look=look)
        assert (found.state, found.reason) == ("failed", "lost")
        assert found.error


@pytest.mark.parametrize("state", ["ready", "in_flight", "retry"])
def test_a_message_that_still_waits_is_not_lost(desk: Desk, state: str) -> None:
    asked = desk.request()
    read = [] if state == "ready" else desk.read()
    for message in read if state == "retry" else []:
        desk.queue().call("retry", msg_id=message.msg_id, delay="1 hour", receipt=message.receipt)
    assert desk.reply(asked.reply_id).state == "waiting"


def test_who_asks_while_the_ack_commits_gets_the_reply(database: Database, desk: Desk) -> None:
    """The message is looked for before the row is read again: the ack that takes the one writes the other."""
    asked = desk.request()
    (message,) = desk.read()
    blocker = database.connect(autocommit=False)
    blocker.execute("select from pgqueue.reply for update")
    acking = Desk(database.connect(), desk.kind)
    asking = Desk(database.connect(), desk.kind)
    ack = Background(lambda: acking.ack([message], ["won"]))
    wait_until_blocked(desk.db, acking.db.info.backend_pid)
    assert asking.reply(asked.reply_id).state == "waiting"
    blocker.rollback()
    ack.result()
    assert asking.reply(asked.reply_id) == ("done", None, None, "won")


SLOW_LOOK = """
alter function pgqueue.part_messages(text, bigint[]) rename to quick_part_messages;
create function pgqueue.part_messages(queue text, msg_ids bigint[])
returns table (msg_id bigint, state text, next_id bigint, read_ct integer, vt timestamptz, holder text, error text)
language plpgsql volatile as $$
begin
    perform pg_advisory_xact_lock(42);
    return query select * from pgqueue.quick_part_messages($1, $2);
end $$"""


def test_a_reply_that_comes_between_the_question_and_the_look_is_not_taken_for_lost(
    database: Database, desk: Desk
) -> None:
    asked = desk.request()
    messages = desk.read()
    desk.db.execute(SLOW_LOOK)
    blocker = database.connect(autocommit=False)
    blocker.execute("select pg_advisory_xact_lock(42)")
    asking = Desk(database.connect(), desk.kind)
    question = Background(lambda: asking.reply(asked.reply_id))
    wait_until_blocked(desk.db, asking.db.info.backend_pid)
    desk.ack(messages, ["won"])
    blocker.rollback()
    assert question.result() == ("done", None, None, "won")


def test_a_request_exists_if_its_transaction_commits(database: Database, desk: Desk) -> None:
    other = Desk(database.connect(autocommit=False), desk.kind)
    asked = other.request()
    assert desk.reply(asked.reply_id).state == "unknown"
    other.db.rollback()
    assert desk.reply(asked.reply_id).state == "unknown"
    assert desk.queue().ids() == []
    asked = other.request()
    other.db.commit()
    assert desk.reply(asked.reply_id).state == "waiting"


def test_a_key_makes_a_request_safe_to_repeat(desk: Desk) -> None:
    first, again = desk.request(key="k"), desk.request(key="k")
    assert first == again
    assert len(desk.queue().ids()) == 1
    desk.ack(desk.read(), [1])
    assert desk.request(key="k") == first
    assert desk.reply(first.reply_id).result == 1


def test_an_id_that_nobody_gave_is_unknown(desk: Desk) -> None:
    assert desk.reply(uuid4()) == ("unknown", None, None, None)


def test_a_reply_is_kept_for_its_time_and_then_forgotten(desk: Desk, clock: Clock) -> None:
    asked = desk.request(ttl="1 hour")
    slow = desk.request(ttl="1 hour")
    clock.advance(3599)
    first, second = sorted(desk.read(), key=lambda one: one.msg_id)
    desk.ack([first], [1])
    clock.advance(2)
    assert desk.reply(slow.reply_id).state == "expired"
    assert desk.ack([second], [2])[0].outcome == "done"
    assert desk.reply(slow.reply_id) == ("expired", None, None, None)
    assert scalar(desk.db, "select pgqueue.forget_replies()") == 1
    assert desk.reply(slow.reply_id).state == "unknown"
    clock.advance(3500)
    assert desk.reply(asked.reply_id).result == 1
    clock.advance(100)
    assert desk.reply(asked.reply_id) == ("expired", None, None, None)
    assert scalar(desk.db, "select pgqueue.forget_replies(qty => 1)") == 1
    assert scalar(desk.db, "select pgqueue.forget_replies()") == 0


def test_forgetting_is_bounded_and_passes_over_locked_rows(
    database: Database, desk: Desk, clock: Clock
) -> None:
    for _ in range(5):
        desk.request(ttl="1 s")
    clock.advance(2)
    with database.connect(autocommit=False) as other:
        other.execute("select from pgqueue.reply where msg_id = 1 for update")
        assert scalar(desk.db, "select pgqueue.forget_replies(qty => 2)") == 2
        assert scalar(desk.db, "select pgqueue.forget_replies()") == 2
        other.rollback()
    assert scalar(desk.db, "select pgqueue.forget_replies()") == 1


def test_what_cant_be_is_refused(desk: Desk) -> None:
    db = desk.db
    wanted = "select pgqueue.request('orders', '1', ttl => %s)"
    for ttl in ("0 s", "367 days", "infinity", None):
        refused("PQ002", partial(scalar, db, wanted, ttl))
    refused("PQ001", lambda: scalar(db, "select pgqueue.request('nowhere', '1')"))
    refused("PQ002", lambda: scalar(db, "select pgqueue.forget_replies(0)"))
    refused("PQ001", lambda: scalar(db, "select pgqueue.ack_with('nowhere', '{1}', '{1}')"))
    refused(
        "PQ002", lambda: scalar(db, "select pgqueue.ack_with('orders', '{1,2}', null, array['1']::jsonb[])")
    )
    desk.request()
    messages = desk.read()
    error = refused("PQ003", lambda: desk.ack(messages, ["x" * 1_048_576]))
    assert "1048576" in str(error)
    assert desk.queue().ids() == [messages[0].msg_id]


def test_view_shows_who_waits(desk: Desk, clock: Clock) -> None:
    desk.request()
    desk.request(ttl="1 s")
    clock.advance(2)
    found = rows(desk.db, "select msg_id, state from pgqueue.replies order by msg_id")
    assert [tuple(row) for row in found] == [(1, "waiting"), (2, "expired")]
    assert "result" not in {
        column.name for column in desk.db.execute("select * from pgqueue.replies").description or ()
    }


def test_queue_of_an_older_release_gets_the_trigger_with_the_upgrade(desk: Desk) -> None:
    db: psycopg.Connection = desk.db
    db.execute("drop trigger before_burial_reply on pgqueue.d_orders")
    for _ in range(2):
        db.execute("select pgqueue.refresh_clones('orders')")
    asked = desk.request()
    BURIALS["bury"](desk, desk.read()[0])
    assert desk.reply(asked.reply_id).state == "failed"
