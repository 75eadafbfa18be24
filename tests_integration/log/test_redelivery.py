"""Messages that the cursor has passed and nobody holds: readers that roll back, senders that commit late, cancels."""

from __future__ import annotations

import pytest

from tests_integration.fixtures.clock import Clock
from tests_integration.fixtures.verbs import Queue
from tests_integration.log.storage import claims, cursor, ids_of


class TestReaders:
    @pytest.mark.parametrize("undo", ["rollback", "rollback to savepoint s"])
    def test_messages_of_a_rolled_back_reader_come_with_the_next_read(
        self, orders: Queue, other: Queue, undo: str
    ) -> None:
        sent = orders.send_many(3)
        other.connection.execute("begin")
        other.connection.execute("savepoint s")
        lost = other.read(qty=2)
        other.connection.execute(undo.encode())
        other.connection.execute("commit" if "savepoint" in undo else "select 1")
        assert cursor(orders) == sent[1]
        found = orders.read(qty=10)
        assert ids_of(found) == [sent[2]]  # the log goes first where the read fills up
        found = orders.read(qty=10)
        assert [(m.msg_id, m.read_ct, m.release_ct) for m in found] == [(i, 2, 1) for i in sent[:2]]
        answered = orders.outcomes("delete_batch", msg_ids=sent[:2], receipts=[lost[0].receipt])
        assert answered == dict.fromkeys(sent[:2], "stale")

    def test_cursor_never_goes_back(self, orders: Queue, other: Queue) -> None:
        sent = orders.send_many(5)
        other.connection.execute("begin")
        other.read(qty=3)
        assert cursor(orders) == sent[2]
        other.connection.execute("rollback")
        assert cursor(orders) == sent[2]
        assert ids_of(orders.read(qty=1)) == [sent[3]]

    def test_open_reader_keeps_its_messages_from_everybody(self, orders: Queue, other: Queue) -> None:
        sent = orders.send_many(2)
        with other.connection.transaction():
            mine = other.read(qty=2)
            for _ in range(5):
                assert orders.read(qty=10) == []
                assert orders.rows("pop", qty=10) == []
        assert orders.read(qty=10) == []
        assert other.outcomes("delete_batch", msg_ids=sent, receipts=[mine[0].receipt]) == dict.fromkeys(
            sent, "done"
        )

    def test_reader_that_rolled_back_waits_for_an_older_writer_at_the_longest(
        self, orders: Queue, other: Queue
    ) -> None:
        sent = orders.send()
        other.connection.execute("begin; select pg_current_xact_id()")
        orders.connection.execute("begin")
        orders.read_one()
        orders.connection.execute("rollback")
        before = ids_of(orders.read() + orders.read())
        other.connection.execute("commit")
        after = ids_of(orders.read() + orders.read())
        assert before + after == [sent]


class TestSenders:
    def test_late_sender_is_delivered_by_the_next_read_as_a_first_delivery(
        self, orders: Queue, other: Queue, clock: Clock
    ) -> None:
        other.connection.execute("begin")
        late = other.send()
        clock.advance(1)
        sent = orders.send_many(2)
        clock.advance(1)
        assert ids_of(orders.read(qty=10)) == sent
        other.connection.execute("commit")
        (found,) = orders.read(qty=10)
        assert (found.msg_id, found.read_ct, found.release_ct) == (late, 1, 0)
        assert orders.call("delete", msg_id=late, receipt=found.receipt) == "done"

    def test_late_sender_stays_ready_in_every_view_until_then(
        self, orders: Queue, other: Queue, clock: Clock
    ) -> None:
        other.connection.execute("begin")
        late = other.send()
        clock.advance(1)
        orders.send()
        clock.advance(1)
        orders.read(qty=10)
        other.connection.execute("commit")
        assert (orders.look(late).state, orders.look(late).read_ct) == ("ready", 0)
        assert orders.metrics().ready == 1
        assert orders.call("delete", msg_id=late) == "done"
        assert orders.look(late) is None

    def test_gap_of_a_sender_that_is_about_to_commit_ends_the_batch(
        self, orders: Queue, other: Queue, clock: Clock
    ) -> None:
        first = orders.send()
        other.connection.execute("begin")
        late = other.send()
        last = orders.send()
        assert ids_of(orders.read(qty=10)) == [first]
        other.connection.execute("commit")
        assert ids_of(orders.read(qty=10)) == [late, last]
        clock.advance(1)
        assert orders.read(qty=10) == []

    def test_many_late_senders_between_many_messages_lose_nothing(self, orders: Queue, other: Queue) -> None:
        sent: list[int] = []
        for n in range(30):
            other.connection.execute("begin")
            sent += other.send_many(2)
            if n % 3 == 0:
                del sent[-2:]
            sent += orders.send_many(2)
            orders_read = orders.read(qty=3)
            other.connection.execute("rollback" if n % 3 == 0 else "commit")
            orders.outcomes("delete_batch", msg_ids=ids_of(orders_read))
            sent = [msg_id for msg_id in sent if msg_id not in ids_of(orders_read)]
        while found := orders.read(qty=50):
            orders.outcomes("delete_batch", msg_ids=ids_of(found))
            sent = [msg_id for msg_id in sent if msg_id not in ids_of(found)]
        assert sent == []
        assert orders.ids() == []

    def test_rolled_back_last_ids_do_not_defeat_the_empty_fast_path(self, orders: Queue) -> None:
        orders.connection.execute("begin")
        last = orders.send_many(5)[-1]
        orders.connection.execute("rollback")
        for _ in range(3):
            assert orders.read() == []
        assert cursor(orders) == last
        sent = orders.send()
        assert ids_of(orders.read()) == [sent]

    def test_open_sender_is_never_taken_for_rolled_back(self, orders: Queue, other: Queue) -> None:
        other.connection.execute("begin")
        sent = other.send()
        for _ in range(10):
            assert orders.read() == []
        other.connection.execute("commit")
        assert ids_of(orders.read()) == [sent]


class TestCancels:
    @pytest.mark.parametrize("verb", ["delete", "archive", "bury"])
    def test_message_that_is_being_cancelled_is_not_handed_out(
        self, orders: Queue, other: Queue, verb: str
    ) -> None:
        first, second = orders.send_many(2)
        more = {"reason": "x"} if verb == "bury" else {}
        with other.connection.transaction():
            assert other.call(verb, msg_id=first, **more) == "done"
            assert ids_of(orders.read(qty=10) + orders.read(qty=10)) == [second]
        assert orders.read(qty=10) == []

    @pytest.mark.parametrize("verb", ["delete", "archive", "retry", "set_vt"])
    @pytest.mark.parametrize("alone", [True, False])
    def test_cancel_that_rolls_back_lets_the_message_come(
        self, orders: Queue, other: Queue, verb: str, alone: bool
    ) -> None:
        sent = orders.send_many(1 if alone else 3)
        more = {"retry": {"delay": "1 h"}, "set_vt": {"vt": "1 h"}}.get(verb, {})
        other.connection.execute("begin")
        assert other.call(verb, msg_id=sent[0], **more) == "done"
        seen = ids_of(orders.read(qty=10))
        assert sent[0] not in seen
        other.connection.execute("rollback")
        for _ in range(3):
            seen += ids_of(orders.read(qty=10))
        assert sorted(seen) == sent

    def test_cancel_of_what_an_open_reader_has_is_decided_by_who_commits(
        self, orders: Queue, other: Queue
    ) -> None:
        sent = orders.send()
        other.connection.execute("begin")
        mine = other.read_one()
        assert orders.call("delete", msg_id=sent) == "done"
        other.connection.execute("commit")
        assert other.call("delete", msg_id=sent, receipt=mine.receipt) == "gone"
        assert claims(orders) == [] or orders.read() == []
