"""What only a queue of kind row can: reads by a filter, and groups in order."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests_integration.fixtures.clock import Clock
from tests_integration.fixtures.verbs import Queue, every_way_of_row, row_only


@every_way_of_row
class TestFilter:
    def test_only_matching_messages_are_leased(self, orders: Queue) -> None:
        orders.send({"kind": "a", "more": [1, 2]})
        match = orders.send({"kind": "b", "more": [1, 2]})
        assert [message.msg_id for message in orders.read(filter={"kind": "b"}, qty=5)] == [match]
        assert orders.read(filter={"kind": "b"}, qty=5) == []
        assert len(orders.read(qty=5)) == 1

    def test_filter_is_containment(self, orders: Queue) -> None:
        orders.send({"kind": "a", "more": {"x": 1, "y": 2}})
        assert orders.read(filter={"more": {"x": 2}}) == []
        assert len(orders.read(filter={"more": {"y": 2}})) == 1

    def test_filter_does_not_let_a_group_pass_its_head(self, orders: Queue) -> None:
        orders.send({"kind": "a"}, group_key="g")
        orders.send({"kind": "b"}, group_key="g")
        assert orders.read(filter={"kind": "b"}) == []


@row_only
class TestGroups:
    def test_only_the_head_of_a_group_is_handed_out(self, orders: Queue) -> None:
        heads = [orders.send({"n": 1}, group_key=group) for group in "abc"]
        for group in "abc":
            orders.send({"n": 2}, group_key=group)
        loner = orders.send()
        assert [message.msg_id for message in orders.read(qty=10)] == [*heads, loner]
        assert orders.read(qty=10) == []

    @pytest.mark.parametrize("verb", ["delete", "archive", "bury"])
    def test_next_of_a_group_follows_when_the_head_is_settled(self, orders: Queue, verb: str) -> None:
        sent = [orders.send(group_key="g") for _ in range(3)]
        got = []
        while found := orders.read(qty=5):
            (message,) = found
            got.append(message.msg_id)
            more = {"reason": "x"} if verb == "bury" else {}
            assert orders.call(verb, msg_id=message.msg_id, receipt=message.receipt, **more) == "done"
        assert got == sent

    def test_retry_of_the_head_keeps_it_the_head(self, orders: Queue, clock: Clock) -> None:
        head, _ = (orders.send(group_key="g") for _ in range(2))
        message = orders.read_one()
        orders.call("retry", msg_id=head, delay=timedelta(minutes=1), receipt=message.receipt)
        clock.advance(59)
        assert orders.read() == []
        clock.advance(1)
        assert orders.read_one().msg_id == head

    def test_release_and_lapse_of_the_head_keep_it_the_head(self, orders: Queue, clock: Clock) -> None:
        head, _ = (orders.send(group_key="g") for _ in range(2))
        message = orders.read_one()
        assert orders.call("release", msg_id=head, receipt=message.receipt) == "done"
        assert orders.read_one(qty=5).msg_id == head
        clock.advance(31)
        assert orders.read_one(qty=5).msg_id == head

    def test_delayed_or_urgent_message_does_not_pass_the_head(self, orders: Queue) -> None:
        orders.send(group_key="g", delay=timedelta(minutes=1))
        orders.send(group_key="g", priority=9)
        assert orders.read(qty=5) == []

    def test_pop_takes_heads_only_and_one_of_a_group_a_call(self, orders: Queue) -> None:
        sent = [orders.send(group_key="g") for _ in range(2)]
        assert [message.msg_id for message in orders.rows("pop", qty=5)] == sent[:1]
        assert [message.msg_id for message in orders.rows("pop", qty=5)] == sent[1:]
