from __future__ import annotations

from dataclasses import replace

import pytest

from pgqueue.consumer.lease import Renewal
from pgqueue.consumer.model import Held
from pgqueue.errors import Unavailable
from pgqueue.message.model import Outcome
from tests.consumer.conftest import PLAN, Clock, SyncScript, held, ids_of


class Opened:
    """Counts how often the renewal opens its own connection."""

    def __init__(self) -> None:
        self.timeouts: list[float] = []
        self.script = SyncScript()

    @property
    def times(self) -> int:
        return len(self.timeouts)

    def __call__(self, timeout: float) -> SyncScript:
        self.timeouts.append(timeout)
        return self.script


@pytest.fixture
def opened() -> Opened:
    return Opened()


@pytest.fixture
def renewal(opened: Opened, clock: Clock) -> Renewal:
    return Renewal(opened, clock)


def running(renewal: Renewal, msg_id: int = 1, at: float = 0.0) -> Held:
    one = held(msg_id=msg_id, at=at)
    one.started_at = at
    renewal.add(one)
    return one


def test_short_tasks_open_no_connection(renewal: Renewal, clock: Clock, opened: Opened) -> None:
    one = running(renewal)
    clock.now = 9.9
    renewal.renew_due()
    renewal.remove(one)
    clock.now = 20.0
    renewal.renew_due()
    assert opened.times == 0


def test_it_renews_after_a_third_of_vt_and_then_every_third(
    renewal: Renewal, clock: Clock, opened: Opened
) -> None:
    one = running(renewal)
    renewed = []
    for now in range(0, 31, 2):
        clock.now = float(now)
        if renewal.renew_due():
            renewed.append(now)
    assert renewed == [10, 20, 30]
    assert one.lease_until == 60.0
    assert opened.times == 1
    assert opened.script.calls[0].may_commit_async


def test_all_that_is_due_in_a_queue_goes_in_one_call(renewal: Renewal, clock: Clock, opened: Opened) -> None:
    for n in (1, 2, 3):
        running(renewal, n)
    running(renewal, 4, at=9.0)
    clock.now = 10.0
    renewal.renew_due()
    assert [ids_of(call) for call in opened.script.calls] == [[1, 2, 3]]


def test_it_ends_at_health_stale_and_says_so_once(renewal: Renewal, clock: Clock, opened: Opened) -> None:
    one = running(renewal)
    clock.now = 59.9
    assert renewal.renew_due() == 1
    for clock.now in (60.0, 80.0, 1000.0):
        assert renewal.renew_due() == 0
    assert one.outlived


@pytest.mark.parametrize("outcome", [Outcome.STALE, Outcome.GONE])
def test_a_lost_lease_is_noted_and_never_renewed_again(
    renewal: Renewal, clock: Clock, opened: Opened, outcome: Outcome
) -> None:
    lost, kept = running(renewal, 1), running(renewal, 2)
    opened.script.on("message.set_vt_batch", {1: outcome, 2: Outcome.DONE})
    clock.now = 10.0
    renewal.renew_due()
    assert (lost.lost, kept.lost) == (True, False)
    clock.now = 20.0
    renewal.renew_due()
    assert ids_of(opened.script.calls[-1]) == [2]


def test_busy_means_that_it_is_being_settled_and_is_asked_again(
    renewal: Renewal, clock: Clock, opened: Opened
) -> None:
    one = running(renewal)
    opened.script.on("message.set_vt_batch", {1: Outcome.BUSY})
    clock.now = 10.0
    renewal.renew_due()
    assert not one.lost
    assert renewal.renew_due() == 1


def test_what_ended_during_the_renewal_is_not_called_lost(
    renewal: Renewal, clock: Clock, opened: Opened
) -> None:
    one = running(renewal)

    def acked_meanwhile(_: object) -> dict[int, Outcome]:
        renewal.remove(one)
        return {1: Outcome.GONE}

    opened.script.on("message.set_vt_batch", acked_meanwhile)
    clock.now = 10.0
    renewal.renew_due()
    assert not one.lost


def test_a_dead_connection_is_tried_again_at_the_next_tick(
    renewal: Renewal, clock: Clock, opened: Opened
) -> None:
    one = running(renewal)
    opened.script.on("message.set_vt_batch", Unavailable("gone"))
    clock.now = 10.0
    renewal.renew_due()
    assert one.lease_until == 30.0
    clock.now = 11.0
    renewal.renew_due()
    assert one.lease_until == 41.0


def test_the_sleep_is_short_enough_for_the_shortest_vt(renewal: Renewal) -> None:
    assert renewal.wait_seconds() == 1.0
    renewal.add(held(plan=replace(PLAN, vt=0.6)))
    assert renewal.wait_seconds() == pytest.approx(0.1)


def test_a_queue_that_wants_sync_commits_gets_them(renewal: Renewal, clock: Clock, opened: Opened) -> None:
    renewal.add(held(plan=replace(PLAN, ack_async=False)))
    clock.now = 10.0
    renewal.renew_due()
    assert not opened.script.calls[0].may_commit_async


def test_a_lease_is_renewed_for_the_vt_of_its_own_claim_after_the_setting_changed(
    renewal: Renewal, clock: Clock, opened: Opened
) -> None:
    short = held(msg_id=1, plan=replace(PLAN, vt=3.0, health_stale=900.0), at=0.0)
    long = held(msg_id=2, plan=replace(PLAN, vt=300.0, health_stale=900.0), at=0.0)
    for one in (short, long):
        one.started_at = 0.0
        renewal.add(one)
    clock.now = 100.0
    renewal.renew_due()
    asked = {tuple(ids_of(call)): call.params[1] for call in opened.script.calls}
    assert asked == {(1,): 3.0, (2,): 300.0}


def test_a_call_that_hangs_leaves_time_for_another_before_the_shortest_lease_is_over(
    renewal: Renewal, clock: Clock, opened: Opened
) -> None:
    running(renewal)
    clock.now = 10.0
    renewal.renew_due()
    assert opened.timeouts == [10.0]
    renewal.add(held(msg_id=2, plan=replace(PLAN, queue="quick", vt=3.0), at=10.0))
    clock.now = 11.0
    renewal.renew_due()
    assert opened.timeouts == [10.0, 1.0]
    assert opened.script.closed


def test_renewals_that_fail_longer_than_vt_are_an_error(
    renewal: Renewal, clock: Clock, opened: Opened, caplog: pytest.LogCaptureFixture
) -> None:
    """U52"""
    running(renewal)
    opened.script.on("message.set_vt_batch", Unavailable("gone"), Unavailable("gone"), Unavailable("gone"))
    for clock.now in (10.0, 39.0, 40.0):
        renewal.renew_due()
    assert [record.levelname for record in caplog.records] == ["WARNING", "WARNING", "ERROR"]
