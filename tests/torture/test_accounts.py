"""The checker finds what is lost, invented, or alive after its end."""

from __future__ import annotations

import pytest

from tests.torture.story import Story, judged, violations


@pytest.fixture
def story() -> Story:
    made = Story()
    made.send("u1", 1)
    return made


def test_a_clean_history_passes(story: Story) -> None:
    story.read("r", 1, 11)
    story.settle("r", "delete", 1, 11)
    report = judged(story.finish())
    assert report["ok"]
    assert report["violations"] == {}


def test_a_confirmed_send_that_is_nowhere_is_lost(story: Story) -> None:
    assert violations(story.finish()) == {"lost": 1}


@pytest.mark.parametrize(
    "left",
    [{"archived": [1]}, {"dead": [[1, "hard_cap", 4, 0, 10_500_000]]}],
    ids=["archived", "dead"],
)
def test_what_is_archived_or_dead_is_not_lost(story: Story, left: dict[str, object]) -> None:
    assert violations(story.finish(**left)) == {}


def test_what_is_still_queued_in_the_end_is_undrained_but_not_lost(story: Story) -> None:
    assert violations(story.finish(queued=[1])) == {"undrained": 1}


def test_an_ack_whose_answer_was_lost_excuses_a_missing_message(story: Story) -> None:
    story.read("r", 1, 11)
    story.settle("r", "delete", 1, 11, end="info")
    report = judged(story.finish())
    assert report["ok"]
    assert report["figures"]["gone_by_an_ack_in_doubt"] == 1


def test_an_ack_of_a_transaction_that_rolled_back_excuses_nothing(story: Story) -> None:
    story.read("r", 1, 11, tx=1)
    story.settle("r", "delete", 1, 11, tx=1)
    story.op("r", "rollback", tx=1)
    assert violations(story.finish()) == {"lost": 1}


@pytest.mark.parametrize("outcome", ["stale", "gone"])
def test_an_ack_that_was_refused_excuses_nothing(story: Story, outcome: str) -> None:
    story.read("r", 1, 11)
    story.settle("r", "delete", 1, 11, outcome=outcome)
    assert violations(story.finish()) == {"lost": 1}


@pytest.mark.parametrize("end", ["info", ""], ids=["answer lost", "writer killed"])
def test_a_send_in_doubt_may_be_delivered_or_not(end: str) -> None:
    silent = Story()
    silent.send("u1", 1, end=end)
    assert violations(silent.finish()) == {}
    silent = Story()
    silent.send("u1", 1, end=end)
    silent.read("r", 1, 11)
    silent.settle("r", "delete", 1, 11)
    assert violations(silent.finish()) == {}


def test_a_delivery_that_nobody_sent_is_invented(story: Story) -> None:
    story.settle("x", "cancel", 1, None)
    story.read("r", 2, 11, uid="never-sent")
    assert violations(story.finish()) == {"invented": 1}


def test_another_payload_is_invented(story: Story) -> None:
    story.read("r", 1, 11, digest=8)
    story.settle("r", "delete", 1, 11)
    assert violations(story.finish()) == {"invented": 1}


def test_a_second_id_for_one_send_is_invented(story: Story) -> None:
    story.read("r", 1, 11)
    story.settle("r", "delete", 1, 11)
    story.read("r", 2, 12, uid="u1")
    assert violations(story.finish()) == {"invented": 1}


@pytest.mark.parametrize("end", ["rollback", "commit that failed", "savepoint", "killed"])
def test_a_message_of_a_rolled_back_send_must_not_be_delivered(end: str) -> None:
    story = Story()
    number = story.send("u1", 1, tx=1)
    if end == "rollback":
        story.op("w", "rollback", tx=1)
    elif end == "commit that failed":
        story.op("w", "commit", tx=1, end="fail")
    elif end == "savepoint":
        story.op("w", "undo", tx=1, ops=[number])
        story.op("w", "commit", tx=1)
    story.read("r", 1, 11)
    story.settle("r", "delete", 1, 11)
    assert violations(story.finish()) == {"delivered_though_rolled_back": 1}


def test_a_send_that_failed_must_not_be_delivered() -> None:
    story = Story()
    story.send("u1", 1, end="fail")
    story.read("r", 1, 11)
    assert violations(story.finish()) == {"delivered_though_rolled_back": 1}


def test_a_delivery_before_the_commit_is_found() -> None:
    story = Story()
    story.send("u1", 1, tx=1)
    story.read("r", 1, 11)
    story.op("w", "commit", tx=1)
    story.settle("r", "delete", 1, 11)
    assert violations(story.finish()) == {"delivered_before_commit": 1}


def test_a_repeated_key_that_answers_the_first_id_is_one_message(story: Story) -> None:
    story.send("u1", 1, key="k")
    story.read("r", 1, 11)
    story.settle("r", "delete", 1, 11)
    assert violations(story.finish()) == {}


@pytest.mark.parametrize(
    ("verb", "verdict"),
    [
        ("delete", "delivered_after_ack"),
        ("archive", "delivered_after_ack"),
        ("bury", "delivered_after_ack"),
        ("cancel", "delivered_after_cancel"),
    ],
)
def test_what_is_settled_is_not_delivered_any_more(story: Story, verb: str, verdict: str) -> None:
    story.read("r", 1, 11)
    story.settle("r", verb, 1, None if verb == "cancel" else 11)
    story.wait(2000).read("q", 1, 12, read_ct=2)
    assert violations(story.finish()) == {verdict: 1}


def test_what_is_popped_is_not_delivered_any_more(story: Story) -> None:
    story.read("r", 1, 11, op="pop", tx=1)
    story.op("r", "commit", tx=1)
    story.wait(2000).read("q", 1, 12, read_ct=2)
    assert violations(story.finish()) == {"delivered_after_pop": 1}


def test_a_read_that_runs_beside_the_cancel_may_still_deliver(story: Story) -> None:
    story.read("r", 1, 11)
    story.settle("x", "cancel", 1, None)
    assert violations(story.finish()) == {}


@pytest.mark.parametrize("asynchronous", [True, False], ids=["asynchronous", "synchronous"])
def test_an_asynchronous_ack_may_be_lost_in_a_crash_and_a_synchronous_one_not(
    story: Story, *, asynchronous: bool
) -> None:
    story.read("r", 1, 11)
    story.settle("r", "delete", 1, 11, asynchronous=asynchronous)
    story.crash()
    story.wait(2000).read("q", 1, 12, read_ct=2)
    story.settle("q", "delete", 1, 12)
    report = judged(story.finish())
    if asynchronous:
        assert report["violations"] == {}
        assert report["figures"]["acks_lost_in_a_crash"] == 1
    else:
        assert report["violations"] == {"delivered_after_ack": 1, "settled_twice": 1}


def test_an_asynchronous_ack_long_before_the_crash_is_durable(story: Story) -> None:
    story.read("r", 1, 11)
    story.settle("r", "delete", 1, 11, asynchronous=True)
    story.wait(5000).crash()
    story.read("q", 1, 12, read_ct=2)
    assert violations(story.finish()) == {"delivered_after_ack": 1}


def test_two_acks_of_one_message_are_found(story: Story) -> None:
    story.read("r", 1, 11)
    story.settle("r", "delete", 1, 11)
    story.settle("r", "delete", 1, 11)
    assert violations(story.finish()) == {"settled_twice": 1}
