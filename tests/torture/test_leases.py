"""The checker finds leases that overlap, receipts that should be dead, and counters that fall."""

from __future__ import annotations

import pytest

from tests.torture.story import VT, Story, judged, violations


@pytest.fixture
def story() -> Story:
    made = Story()
    made.send("u1", 1)
    return made


def end(story: Story, receipt: int = 12) -> Story:
    story.settle("q", "delete", 1, receipt)
    return story.finish()


def test_a_second_lease_before_the_end_of_the_first_is_an_overlap(story: Story) -> None:
    story.read("r", 1, 11)
    story.wait(VT - 100).read("q", 1, 12, read_ct=2)
    assert violations(end(story)) == {"overlapping_leases": 1}


def test_a_second_lease_after_the_first_is_fine(story: Story) -> None:
    story.read("r", 1, 11)
    story.wait(VT).read("q", 1, 12, read_ct=2)
    assert violations(end(story)) == {}


def test_a_lease_whose_transaction_rolled_back_binds_nobody(story: Story) -> None:
    story.read("r", 1, 11, tx=1)
    story.op("r", "rollback", tx=1)
    story.read("q", 1, 12)
    assert violations(end(story)) == {}


def test_what_an_open_transaction_has_read_is_given_to_nobody_else(story: Story) -> None:
    story.read("r", 1, 11, tx=1)
    story.wait(2 * VT).read("q", 1, 12)
    story.op("r", "rollback", tx=1)
    assert violations(end(story)) == {"delivered_out_of_an_open_transaction": 1}


def test_a_transaction_whose_connection_died_is_not_taken_for_open(story: Story) -> None:
    story.read("r", 1, 11, tx=1)
    story.wait(VT).read("q", 1, 12)
    story.op("r", "commit", tx=1, end="info")
    assert violations(end(story)) == {}


def test_a_renewed_lease_lasts_longer(story: Story) -> None:
    story.read("r", 1, 11)
    story.settle("r", "set_vt", 1, 11, hide=3 * VT)
    story.wait(2 * VT).read("q", 1, 12, read_ct=2)
    assert violations(end(story)) == {"overlapping_leases": 1}


def test_a_renewal_in_doubt_does_not_count(story: Story) -> None:
    story.read("r", 1, 11)
    story.settle("r", "set_vt", 1, 11, hide=3 * VT, end="info")
    story.wait(2 * VT).read("q", 1, 12, read_ct=2)
    assert violations(end(story)) == {}


def test_a_shortened_lease_ends_earlier(story: Story) -> None:
    story.read("r", 1, 11)
    story.settle("r", "set_vt", 1, 11, hide=100)
    story.wait(200).read("q", 1, 12, read_ct=2)
    assert violations(end(story)) == {}


def test_a_released_message_is_free_at_once(story: Story) -> None:
    story.read("r", 1, 11)
    story.settle("r", "release", 1, 11)
    story.read("q", 1, 12, read_ct=2, release_ct=1)
    assert violations(end(story)) == {}


def test_a_release_that_rolled_back_frees_nothing(story: Story) -> None:
    story.read("r", 1, 11)
    story.settle("r", "release", 1, 11, tx=1)
    story.op("r", "rollback", tx=1)
    story.read("q", 1, 12, read_ct=2)
    assert violations(end(story)) == {"overlapping_leases": 1}


def test_a_retried_message_is_not_seen_before_its_delay(story: Story) -> None:
    story.read("r", 1, 11)
    story.settle("r", "retry", 1, 11, hide=500)
    story.wait(100).read("q", 1, 12, read_ct=2)
    assert violations(end(story)) == {"redelivered_before_vt": 1}


def test_a_delayed_send_is_not_seen_before_its_time() -> None:
    story = Story()
    story.send("u1", 1, delay=500)
    story.read("q", 1, 12)
    assert violations(end(story)) == {"delivered_before_its_delay": 1}


@pytest.mark.parametrize("asynchronous", [True, False], ids=["asynchronous", "synchronous"])
def test_only_an_asynchronous_claim_may_be_lost_in_a_crash(story: Story, *, asynchronous: bool) -> None:
    story.read("r", 1, 11, asynchronous=asynchronous)
    story.crash()
    story.read("q", 1, 12)
    report = judged(end(story))
    if asynchronous:
        assert report["violations"] == {}
        assert report["figures"]["redelivered_early_after_a_crash"] == 1
        assert report["figures"]["read_ct_repeated_after_a_crash"] == 1
    else:
        assert report["violations"] == {"overlapping_leases": 1, "read_ct_did_not_rise": 1}


def test_a_crash_before_the_claim_excuses_nothing(story: Story) -> None:
    story.crash()
    story.wait(10).read("r", 1, 11, asynchronous=True)
    story.read("q", 1, 12, read_ct=2)
    assert violations(end(story)) == {"overlapping_leases": 1}


def test_a_crash_after_the_redelivery_excuses_nothing(story: Story) -> None:
    story.read("r", 1, 11, asynchronous=True)
    story.read("q", 1, 12, read_ct=2)
    story.wait(10).crash()
    assert violations(end(story)) == {"overlapping_leases": 1}


@pytest.mark.parametrize("verb", ["delete", "retry", "set_vt", "archive"])
def test_a_stale_receipt_that_settles_is_found(story: Story, verb: str) -> None:
    story.read("r", 1, 11)
    story.wait(VT).read("q", 1, 12, read_ct=2)
    story.wait(10).settle("r", verb, 1, 11)
    story.finish(queued=[1])
    assert violations(story).get("stale_receipt_accepted") == 1


def test_a_stale_receipt_that_is_refused_is_fine(story: Story) -> None:
    story.read("r", 1, 11)
    story.wait(VT).read("q", 1, 12, read_ct=2)
    story.settle("r", "delete", 1, 11, outcome="stale")
    assert violations(end(story)) == {}


def test_an_expired_receipt_that_nobody_took_over_is_good(story: Story) -> None:
    story.read("q", 1, 12)
    story.wait(2 * VT)
    assert violations(end(story)) == {}


def test_a_receipt_that_nobody_was_given_must_not_settle(story: Story) -> None:
    story.read("r", 1, 11)
    story.settle("r", "delete", 1, 10, forged=True)
    assert violations(story.finish()) == {"forged_receipt_accepted": 1}


def test_read_ct_rises_from_claim_to_claim(story: Story) -> None:
    story.read("r", 1, 11, read_ct=2)
    story.wait(VT).read("q", 1, 12, read_ct=2)
    assert violations(end(story)) == {"read_ct_did_not_rise": 1}


def test_what_counts_of_read_ct_never_falls(story: Story) -> None:
    story.read("r", 1, 11, read_ct=2)
    story.wait(VT).read("q", 1, 12, read_ct=3, release_ct=2)
    assert violations(end(story)) == {"counted_reads_fell": 1}


def test_nothing_is_delivered_past_the_cap(story: Story) -> None:
    story.read("q", 1, 12, read_ct=5)
    assert violations(end(story)) == {"delivered_past_the_cap": 1}


def test_a_pop_may_take_what_is_past_the_cap(story: Story) -> None:
    story.read("q", 1, 12, read_ct=5, op="pop", tx=1)
    story.op("q", "commit", tx=1)
    assert violations(story.finish()) == {}


def test_releases_do_not_count_against_the_cap(story: Story) -> None:
    story.read("q", 1, 12, read_ct=5, release_ct=1)
    assert violations(end(story)) == {}


def test_nothing_dies_of_the_cap_before_it_is_reached(story: Story) -> None:
    story.finish(dead=[[1, "hard_cap", 3, 0, story.now * 1000]])
    assert violations(story) == {"dead_below_the_cap": 1}
