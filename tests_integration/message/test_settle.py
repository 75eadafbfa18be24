"""What the verbs that end or change a lease answer: done, gone, stale (and busy: see interleavings)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import psycopg
import pytest

from tests_integration.fixtures.clock import START, Clock
from tests_integration.fixtures.verbs import Queue, both_ways, create_queue, refused, rows

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
    @both_ways
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

    @both_ways
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

    @both_ways
    def test_unknown_id_is_gone(self, orders: Queue, verb: str) -> None:
        for msg_id in (0, -1, 999, 2**63 - 1):
            assert settle(orders, verb, msg_id, None) == "gone"
            assert settle(orders, verb, msg_id, 5) == "gone"

    def test_id_of_another_queue_is_gone(self, orders: Queue, verb: str) -> None:
        create_queue(orders.connection, "other")
        elsewhere = Queue(orders.connection, "other")
        sent = elsewhere.send()
        message = elsewhere.read_one()
        assert settle(orders, verb, sent, message.receipt) == "gone"
        assert elsewhere.ids() == [sent]

    @both_ways
    def test_without_a_receipt_it_is_not_fenced(self, orders: Queue, verb: str) -> None:
        sent = orders.send()
        orders.read_one()
        assert settle(orders, verb, sent, None) == "done"


@every_verb
class TestBatch:
    @both_ways
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

    @both_ways
    def test_without_receipts_nothing_is_fenced(self, orders: Queue, verb: str) -> None:
        orders.send_many(3)
        ids = [message.msg_id for message in orders.read(qty=3)]
        assert settle_batch(orders, verb, [*ids, 777], None) == dict.fromkeys(ids, "done") | {777: "gone"}

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
            ([1, 2], [1]),
            ([1], [1, 2]),
            ([], [1]),
            ([[1], [2]], None),
        ]
        more = batch_arguments(verb, 2)
        for ids, receipts in bad:
            arrays = {"msg_ids": ids, "receipts": receipts}
            refused("PQ002", lambda arrays=arrays: orders.rows(f"{verb}_batch", **arrays, **more))  # type: ignore[misc]
        assert orders.look(sent) == before

    def test_arrays_that_do_not_start_at_one_are_refused(self, orders: Queue, verb: str) -> None:
        more = {"set_vt": ", '1 min'", "retry": ", '{1 min,1 min}'", "bury": ", '{a,b}'"}.get(verb, "")
        call = f"select * from pgqueue.{verb}_batch('orders', '[0:1]={{1,2}}'{more})"
        refused("PQ002", lambda: rows(orders.connection, call))


class TestEffects:
    @both_ways
    def test_archive_keeps_message_outcome_and_who(self, orders: Queue, clock: Clock) -> None:
        clock.set(START)
        sent = orders.send({"n": 1}, headers={"h": 1}, priority=3, group_key="g")
        orders.read_one(holder="worker")
        orders.call("archive", msg_id=sent)
        assert orders.ids() == []
        (kept,) = rows(orders.connection, "select * from pgqueue.a_orders")
        assert (kept.msg_id, kept.outcome, kept.archived_at) == (sent, "archived", START)
        assert (kept.archived_by, kept.holder) == (orders.connection.info.user, "worker")
        assert (kept.message, kept.headers, kept.priority, kept.group_key) == ({"n": 1}, {"h": 1}, 3, "g")
        assert (kept.read_ct, kept.release_ct, kept.enqueued_at) == (1, 0, START)

    @both_ways
    def test_release_shows_the_message_at_once_and_is_counted_apart(
        self, orders: Queue, clock: Clock
    ) -> None:
        orders.send()
        message = orders.read_one()
        clock.advance(7)
        orders.call("release", msg_id=message.msg_id, receipt=message.receipt)
        row = orders.look(message.msg_id)
        assert (row.state, row.vt, row.read_ct, row.release_ct) == (
            "ready",
            START + timedelta(seconds=7),
            1,
            1,
        )

    def test_message_under_no_lease_can_not_be_released(self, orders: Queue) -> None:
        sent = orders.send()
        assert orders.call("release", msg_id=sent) == "stale"
        assert orders.outcomes("release_batch", msg_ids=[sent]) == {sent: "stale"}
        assert orders.look(sent).release_ct == 0

    @both_ways
    def test_retry_shows_the_message_after_its_delay_and_keeps_the_error(
        self, orders: Queue, clock: Clock
    ) -> None:
        sent = orders.send()
        message = orders.read_one()
        orders.call("retry", msg_id=sent, delay=MINUTE, error="first", receipt=message.receipt)
        row = orders.look(sent)
        assert (row.state, row.vt, row.error) == ("retry", START + MINUTE, "first")
        assert (row.read_ct, row.release_ct) == (1, 0)
        clock.advance(60)
        message = orders.read_one()
        orders.call("retry", msg_id=sent, delay=timedelta(0), receipt=message.receipt)
        assert orders.look(sent).error == "first"
        assert orders.look(sent).state == "ready"

    @both_ways
    def test_retry_batch_takes_delay_and_error_by_place(self, orders: Queue, clock: Clock) -> None:
        clock.set(START)
        ids = orders.send_many(3)
        receipt = orders.read(qty=3)[0].receipt
        orders.outcomes(
            "retry_batch",
            msg_ids=[ids[2], ids[0], ids[1]],
            delays=[timedelta(seconds=s) for s in (3, 1, 2)],
            errors=["c", "a", None],
            receipts=[receipt] * 3,
        )
        seen = [orders.look(msg_id) for msg_id in ids]
        assert [row.vt for row in seen] == [START + timedelta(seconds=s) for s in (1, 2, 3)]
        assert [row.error for row in seen] == ["a", None, "c"]

    @pytest.mark.parametrize("vt", [timedelta(seconds=0.1), timedelta(hours=24)])
    @both_ways
    def test_set_vt_moves_vt_from_now_forward_or_back_and_keeps_the_lease(
        self, orders: Queue, clock: Clock, vt: timedelta
    ) -> None:
        orders.send()
        message = orders.read_one()
        clock.advance(5)
        assert orders.call("set_vt", msg_id=message.msg_id, vt=vt, receipt=message.receipt) == "done"
        row = orders.look(message.msg_id)
        assert (row.vt, row.state, row.read_ct) == (START + timedelta(seconds=5) + vt, "in_flight", 1)
        assert orders.call("delete", msg_id=message.msg_id, receipt=message.receipt) == "done"

    @pytest.mark.parametrize("verb", ["retry", "bury"])
    @both_ways
    def test_error_text_is_cleaned_and_cut_but_never_refused(self, orders: Queue, verb: str) -> None:
        sent = orders.send()
        more: dict[str, object] = {"delay": timedelta(0)} if verb == "retry" else {"reason": "broken"}
        error = "tab\tand\nnewline stay, \x01\x1b[31m\x7f go; \\ and 'quote' stay " + "é" * 1_000_000
        assert orders.call(verb, msg_id=sent, error=error, **more) == "done"
        kept = orders.look(sent).error if verb == "retry" else orders.dead()[0].error
        assert kept.startswith("tab\tand\nnewline stay, [31m go; \\ and 'quote' stay éé")
        assert len(kept) == 8192

    @pytest.mark.parametrize("verb", ["retry", "bury"])
    def test_batch_verbs_refuse_arrays_of_other_lengths_and_missing_values(
        self, orders: Queue, verb: str
    ) -> None:
        ids = orders.send_many(2)
        name, value = ("delays", MINUTE) if verb == "retry" else ("reasons", "x")
        for values in (None, [value], [value] * 3, [value, None]):
            refused("PQ002", lambda v=values: orders.rows(f"{verb}_batch", msg_ids=ids, **{name: v}))  # type: ignore[misc]
        refused(
            "PQ002",
            lambda: orders.rows(f"{verb}_batch", msg_ids=ids, errors=["x"], **{name: [value] * 2}),
        )
        assert orders.ids() == ids

    def test_settling_in_a_transaction_that_rolls_back_leaves_the_lease(self, orders: Queue) -> None:
        orders.send()
        message = orders.read_one()
        for verb in SINGLE:
            orders.connection.execute("begin")
            assert settle(orders, verb, message.msg_id, message.receipt) == "done"
            orders.connection.execute("rollback")
        assert orders.look(message.msg_id).vt == message.vt


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
