"""When a side is given back, and when not."""

from __future__ import annotations

import time

import pytest

from tests_integration.fixtures.database import Database
from tests_integration.fixtures.verbs import Queue
from tests_integration.fixtures.waiting import eventually
from tests_integration.log.storage import ids_of, maintain


@pytest.fixture
def drained(border: Queue) -> Queue:
    """Have the first side drained, and senders and the cursor on the other one."""
    border.send_many(6)
    found = border.read(qty=6)
    assert len(found) == 6
    border.outcomes("delete_batch", msg_ids=ids_of(found), receipts=[found[0].receipt])
    return border


def test_side_that_is_drained_is_truncated(drained: Queue) -> None:
    assert maintain(drained).truncated is True


def test_message_that_is_still_there_keeps_the_side(border: Queue) -> None:
    sent = border.send_many(6)
    found = border.read(qty=6)
    border.outcomes("delete_batch", msg_ids=sent[1:], receipts=[found[0].receipt])
    assert maintain(border).truncated is False
    assert border.call("delete", msg_id=sent[0], receipt=found[0].receipt) == "done"
    assert maintain(border).truncated is True


def test_uncommitted_sender_of_that_side_keeps_it_and_is_not_lost(border: Queue, other: Queue) -> None:
    other.connection.execute("begin")
    late = other.send()
    sent = border.send_many(6)
    assert sent[-1] > sent[0]
    got: list[int] = []
    for _ in range(20):
        got += [message.msg_id for message in border.read(qty=10)]
        if len(got) == len(sent):
            break
    border.outcomes("delete_batch", msg_ids=sent)
    began = time.monotonic()
    assert maintain(border).truncated is False
    assert time.monotonic() - began < 1
    other.connection.execute("commit")
    maintain(border)  # may bring it to the row side first, and truncate then
    assert border.ids() == [late]
    assert ids_of(border.read(qty=10)) == [late]


@pytest.mark.parametrize("lock", ["access share", "row exclusive"])
def test_session_that_uses_the_side_makes_it_wait_no_longer_than_its_lock_timeout(
    drained: Queue, other: Queue, lock: str
) -> None:
    other.connection.execute("begin")
    other.connection.execute(f"lock table pgqueue.l_orders in {lock} mode".encode())
    began = time.monotonic()
    assert maintain(drained).truncated is False
    assert time.monotonic() - began < 1
    other.connection.execute("rollback")
    assert maintain(drained).truncated is True


def test_running_dump_keeps_the_side(drained: Queue, database: Database) -> None:
    dump = database.connect(application_name="pg_dump")
    assert maintain(drained).truncated is False
    dump.close()
    assert eventually(lambda: maintain(drained).truncated)  # its backend takes a moment to end


def test_held_snapshot_of_others_does_not_keep_the_side(drained: Queue, database: Database) -> None:
    holder = database.connect()
    holder.execute("begin isolation level repeatable read")
    holder.execute("select count(*) from pg_class")
    assert maintain(drained).truncated is True


def test_rotation_that_is_rolled_back_changes_nothing(drained: Queue, other: Queue) -> None:
    with drained.connection.transaction(force_rollback=True):
        assert maintain(drained).truncated is True
    sent = other.send()
    assert ids_of(drained.read()) == [sent]
    assert maintain(drained).truncated is True
