"""What the verbs that end or change a lease answer: done, gone, stale (and busy: see interleavings)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import psycopg
import pytest

from tests_integration.fixtures.clock import Clock
from tests_integration.fixtures.verbs import Queue, create_queue, every_door, every_way, refused, rows

MINUTE = timedelta(minutes=1)
SINGLE: dict[str, dict[str, object]] = {
    "delete": {},
    "archive": {},
    "release": {},
    "set_vt": {"vt": MINUTE},
    "retry": {"delay": MINUTE},
    "bury": {"reason": "broken"},
}
ENDS_MESSAGE = ("delete", "archive", "bury")
ENDS_LEASE = (*ENDS_MESSAGE, "release", "retry")
every_verb = pytest.mark.parametrize("verb", SINGLE)


def settle(queue: Queue, verb: str, msg_id: int | None, receipt: int | None) -> Any:
    return queue.call(verb, msg_id=msg_id, receipt=receipt, **SINGLE[verb])


def batch_arguments(verb: str, count: int) -> dict[str, object]:
    if verb == "set_vt":
        return {"vt": MINUTE}
    if verb == "retry":
        return {"delays": [MINUTE] * count}
    return {"reasons": ["broken"] * count} if verb == "bury" else {}


def settle_batch(queue: Queue, verb: str, msg_ids: list[Any], receipts: list[Any] | None) -> dict[int, str]:
    n = len(msg_ids)
    return queue.outcomes(f"{verb}_batch", msg_ids=msg_ids, receipts=receipts, **batch_arguments(verb, n))


@every_verb
class TestOne:
    @every_door
    def test_lease_is_proven_by_its_receipt(self, orders: Queue, verb: str) -> None:
        orders.send()
        message = orders.read_one()
        assert settle(orders, verb, message.msg_id, message.receipt) == "done"
        again = "gone" if verb in ENDS_MESSAGE else "stale" if verb in ENDS_LEASE else "done"
        assert settle(orders, verb, message.msg_id, message.receipt) == again

    def test_expired_receipt_that_nobody_reclaimed_is_good(
        self, orders: Queue, clock: Clock, verb: str
    ) -> None:
        orders.send()
        message = orders.read_one()
        clock.advance(86_400)
        assert settle(orders, verb, message.msg_id, message.receipt) == "done"

    @every_way
    def test_receipt_is_stale_once_another_holds_the_lease(
        self, orders: Queue, clock: Clock, verb: str
    ) -> None:
        sent = orders.send()
        old = orders.read_one()
        clock.advance(31)
        new = orders.read_one()
        before = orders.look(sent)
        assert settle(orders, verb, sent, old.receipt) == "stale"
        assert orders.look(sent) == before
        assert settle(orders, verb, sent, new.receipt) == "done"

    def test_foreign_and_invented_receipts_are_stale_and_change_nothing(
        self, orders: Queue, verb: str
    ) -> None:
        orders.send_many(2)
        mine, other = orders.read_one(), orders.read_one()
        before = orders.look(mine.msg_id)
        for receipt in (other.receipt, 0, -1, 2**63 - 1, -(2**63), mine.receipt ^ 1):
            assert settle(orders, verb, mine.msg_id, receipt) == "stale"
        assert orders.look(mine.msg_id) == before
        assert orders.dead() == []

    def test_receipt_never_fits_a_message_under_no_lease(self, orders: Queue, verb: str) -> None:
        sent = orders.send()
        before = orders.look(sent)
        assert settle(orders, verb, sent, 1) == "stale"
        assert orders.look(sent) == before

    @every_way
    def test_unknown_id_is_gone(self, orders: Queue, verb: str) -> None:
        for msg_id in (0, -1, 999, 2**63 - 1):
            assert settle(orders, verb, msg_id, None) == "gone"
            assert settle(orders, verb, msg_id, 5) == "gone"

    def test_id_of_another_queue_is_gone(self, orders: Queue, verb: str) -> None:
        create_queue(orders.connection, "other", orders.kind)
        elsewhere = Queue(orders.connection, "other")
        sent = elsewhere.send()
        message = elsewhere.read_one()
        assert settle(orders, verb, sent, message.receipt) == "gone"
        assert elsewhere.ids() == [sent]

    @every_way
    def test_without_a_receipt_it_is_not_fenced(self, orders: Queue, verb: str) -> None:
        sent = orders.send()
        orders.read_one()
        assert settle(orders, verb, sent, None) == "done"


@every_verb
class TestBatch:
    @every_door
    def test_each_id_is_fenced_by_its_own_receipt(self, orders: Queue, verb: str) -> None:
        orders.send_many(4)
        good, bad, swapped, none = (orders.read_one() for _ in range(4))
        gone = 12345
        answered = settle_batch(
            orders,
            verb,
            [none.msg_id, gone, good.msg_id, bad.msg_id, swapped.msg_id],
            [None, good.receipt, good.receipt, bad.receipt + 1, good.receipt],
        )
        assert answered == {
            none.msg_id: "stale",
            gone: "gone",
            good.msg_id: "done",
            bad.msg_id: "stale",
            swapped.msg_id: "stale",
        }
        untouched = [orders.look(message.msg_id) for message in (bad, swapped, none)]
        assert [row.vt for row in untouched] == [message.vt for message in (bad, swapped, none)]

    def test_id_given_twice_is_settled_and_answered_once(self, orders: Queue, verb: str) -> None:
        orders.send_many(2)
        first, second = orders.read(qty=2)
        ids = [second.msg_id, first.msg_id, second.msg_id, second.msg_id]
        assert settle_batch(orders, verb, ids, [first.receipt] * 4) == {
            first.msg_id: "done",
            second.msg_id: "done",
        }
        assert len(orders.dead()) == (2 if verb == "bury" else 0)

    def test_id_given_with_a_wrong_and_a_right_receipt_is_done(self, orders: Queue, verb: str) -> None:
        orders.send()
        message = orders.read_one()
        ids, receipts = [message.msg_id] * 2, [message.receipt + 1, message.receipt]
        assert settle_batch(orders, verb, ids, receipts) == {message.msg_id: "done"}

    @every_way
    def test_without_receipts_nothing_is_fenced(self, orders: Queue, verb: str) -> None:
        orders.send_many(3)
        ids = [message.msg_id for message in orders.read(qty=3)]
        assert settle_batch(orders, verb, [*ids, 777], None) == dict.fromkeys(ids, "done") | {777: "gone"}

    def test_one_receipt_serves_for_all_and_fences_all(self, orders: Queue, verb: str) -> None:
        orders.send_many(4)
        ours, (theirs,) = orders.read(qty=3), orders.read(qty=1)
        ids = [*(message.msg_id for message in ours), theirs.msg_id]
        answers = settle_batch(orders, verb, ids, [ours[0].receipt])
        assert answers == dict.fromkeys(ids[:3], "done") | {theirs.msg_id: "stale"}

    def test_empty_arrays_answer_nothing(self, orders: Queue, verb: str) -> None:
        assert settle_batch(orders, verb, [], None) == {}
        assert settle_batch(orders, verb, [], []) == {}

    def test_ten_thousand_are_the_most(self, orders: Queue, verb: str) -> None:
        assert len(settle_batch(orders, verb, list(range(10_000)), None)) == 10_000
        refused("PQ002", lambda: settle_batch(orders, verb, list(range(10_001)), None))

    def test_bad_arrays_are_refused(self, orders: Queue, verb: str) -> None:
        sent = orders.send()
        before = orders.look(sent)
        bad: list[tuple[list[Any] | None, list[Any] | None]] = [
            (None, None),
            ([1, None], None),
            ([1, 2, 3], [1, 2]),
            ([1], [1, 2]),
            ([], [1, 2]),
            ([[1], [2]], None),
        ]
        for ids, receipts in bad:
            given = {"msg_ids": ids, "receipts": receipts} | batch_arguments(verb, len(ids or "12"))
            refused("PQ002", lambda given=given: orders.rows(f"{verb}_batch", **given))  # type: ignore[misc]
        assert orders.look(sent) == before

    def test_arrays_that_do_not_start_at_one_are_refused(self, orders: Queue, verb: str) -> None:
        more = {"set_vt": ", '1 min'", "retry": ", '{1 min,1 min}'", "bury": ", '{a,b}'"}.get(verb, "")
        call = f"select * from pgqueue.{verb}_batch('orders', '[0:1]={{1,2}}'{more})"
        refused("PQ002", lambda: rows(orders.connection, call))


@every_verb
def test_null_id_is_gone_or_refused_but_changes_nothing(orders: Queue, verb: str) -> None:
    sent = orders.send()
    before = orders.look(sent)
    try:
        answer = settle(orders, verb, None, None)
    except psycopg.Error as error:
        answer = error.sqlstate
    assert answer in ("gone", "PQ002")
    assert orders.look(sent) == before
