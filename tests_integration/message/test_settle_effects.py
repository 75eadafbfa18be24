"""What each way to settle a message leaves behind."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests_integration.fixtures.clock import START, Clock
from tests_integration.fixtures.verbs import Queue, every_way, refused, rows
from tests_integration.message.test_settle import MINUTE, SINGLE, settle


class TestEffects:
    @every_way
    def test_archive_keeps_message_outcome_and_who(self, orders: Queue, clock: Clock) -> None:
        clock.set(START)
        ranked = orders.ranked(priority=3, group_key="g")
        sent = orders.send({"n": 1}, headers={"h": 1}, **ranked)
        orders.read_one(holder="worker")
        orders.call("archive", msg_id=sent)
        assert orders.ids() == []
        (kept,) = rows(orders.connection, "select * from pgqueue.a_orders")
        assert (kept.msg_id, kept.outcome, kept.archived_at) == (sent, "archived", START)
        assert (kept.archived_by, kept.holder) == (orders.connection.info.user, "worker")
        assert (kept.message, kept.headers) == ({"n": 1}, {"h": 1})
        assert {"priority": kept.priority, "group_key": kept.group_key} == ranked
        assert (kept.read_ct, kept.release_ct, kept.enqueued_at) == (1, 0, START)

    @every_way
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

    @every_way
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

    @every_way
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
    @every_way
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
    @every_way
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
