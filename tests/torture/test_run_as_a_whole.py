"""The checker finds what waits too long, what a dump lost, and a run that proves nothing."""

from __future__ import annotations

import pytest

from tests.torture.story import VT, Story, judged, violations
from tests_integration.torture.checker.verdict import STUCK_SECONDS

LONG = (STUCK_SECONDS + 1) * 1000


@pytest.fixture
def story() -> Story:
    made = Story()
    made.send("u1", 1)
    return made


def acked(story: Story, receipt: int = 11, msg_id: int = 1) -> Story:
    story.read("r", msg_id, receipt)
    story.settle("r", "delete", msg_id, receipt)
    return story


def test_a_message_that_lies_visible_for_long_is_stuck(story: Story) -> None:
    assert violations(acked(story.wait(LONG)).finish()) == {"stuck": 1}


def test_an_abandoned_message_that_does_not_come_back_is_stuck(story: Story) -> None:
    story.read("r", 1, 10)
    story.wait(VT + LONG).read("q", 1, 11, read_ct=2)
    story.settle("q", "delete", 1, 11)
    assert violations(story.finish()) == {"stuck": 1}


def test_hidden_time_is_not_waiting() -> None:
    story = Story()
    story.send("u1", 1, delay=LONG)
    assert violations(acked(story.wait(LONG + 100)).finish()) == {}


def test_the_time_of_a_fault_that_stops_everybody_is_not_waiting(story: Story) -> None:
    story.op("nemesis", "fault", fault="kill_server", victim="")
    story.lines[-1]["t"] += LONG * 1_000_000
    assert violations(acked(story.wait(LONG)).finish()) == {}


@pytest.mark.parametrize(("kind", "found"), [("log", {}), ("row", {"stuck": 1})])
def test_only_on_a_log_may_orphans_wait_for_the_oldest_transaction(
    story: Story, kind: str, found: dict[str, int]
) -> None:
    story.op("nemesis", "fault", fault="long_writer", victim="")
    story.lines[-1]["t"] += LONG * 1_000_000
    assert judged(acked(story.wait(LONG)).finish(), kind=kind)["violations"] == found


def test_the_time_of_other_faults_is_waiting(story: Story) -> None:
    story.op("nemesis", "fault", fault="kill", victim="r")
    story.lines[-1]["t"] += LONG * 1_000_000
    assert violations(acked(story.wait(LONG)).finish()) == {"stuck": 1}


def dumped(story: Story) -> Story:
    """Take a snapshot, then settle message 1 in the run itself."""
    story.op("nemesis", "snapshot_taken", file="dump")
    story.read("r", 1, 11)
    story.settle("r", "delete", 1, 11)
    return story.finish()


def test_what_was_unsettled_at_the_snapshot_comes_out_of_the_restored_dump(story: Story) -> None:
    assert violations(dumped(story), acked(Story()).finish()) == {}


def test_a_message_that_a_dump_lost_is_found(story: Story) -> None:
    assert violations(dumped(story), Story().finish()) == {"dump_lost": 1}


def test_what_is_dead_in_the_restored_dump_is_not_lost(story: Story) -> None:
    restored = Story().finish(dead=[[1, "hard_cap", 4, 0, 0]])
    assert violations(dumped(story), restored) == {}


def test_what_was_sent_after_the_snapshot_need_not_be_in_the_dump(story: Story) -> None:
    acked(story).op("nemesis", "snapshot_taken", file="dump")
    story.send("u2", 2)
    acked(story, msg_id=2)
    assert violations(story.finish(), Story().finish()) == {}


def test_what_was_acked_before_the_snapshot_does_not_come_back(story: Story) -> None:
    acked(story).op("nemesis", "snapshot_taken", file="dump")
    assert violations(story.finish(), acked(Story()).finish()) == {"dump_delivered_after_the_end": 1}


def test_a_restored_queue_that_can_not_be_drained_is_found(story: Story) -> None:
    restored = acked(Story())
    assert violations(dumped(story), restored.finish(queued=[5])) == {"dump_undrained": 1}


def test_what_is_invented_by_a_restore_is_found(story: Story) -> None:
    restored = acked(Story())
    restored.read("r", 9, 12, uid="never-sent")
    assert violations(dumped(story), restored.finish()) == {"dump_invented": 1}


def test_a_new_message_that_is_lost_after_the_restore_is_found(story: Story) -> None:
    restored = acked(Story())
    restored.send("new", 5)
    assert violations(dumped(story), restored.finish()) == {"dump_lost": 1}


def test_an_id_that_is_given_out_again_after_a_restore_is_found(story: Story) -> None:
    restored = acked(Story())
    restored.send("new", 1)
    assert violations(dumped(story), restored.finish()) == {"dump_id_used_again": 1}


def test_a_run_that_never_ended_fails(story: Story) -> None:
    assert violations(acked(story)) == {"run_without_an_end": 1}


def test_rows_left_in_a_side_table_are_found(story: Story) -> None:
    assert violations(acked(story).finish(tables={"c_x": 2, "r_x": 0})) == {"side_table_not_empty": 1}


def test_a_depth_that_is_not_zero_is_found(story: Story) -> None:
    assert violations(acked(story).finish(depth=1)) == {"depth_is_not_zero": 1}


def test_a_worker_that_broke_is_found(story: Story) -> None:
    assert violations(acked(story).finish(failures=["reader-1 ended with 1"])) == {"worker_failed": 1}


def test_an_error_that_no_fault_explains_is_found(story: Story) -> None:
    story.op("r", "read", end="fail", result={"state": "XX000", "text": "?"}, qty=1)
    assert violations(acked(story).finish()) == {"unexpected_error": 1}


def test_an_error_that_a_fault_explains_is_not(story: Story) -> None:
    story.op("r", "read", end="fail", result={"state": "57014", "text": "cancelled"}, qty=1)
    assert violations(acked(story).finish()) == {}


def test_an_empty_run_does_not_pass(story: Story) -> None:
    report = judged(acked(story).finish(), minimum=2)
    assert report["violations"] == {"too_little_was_drained": 1}


@pytest.mark.parametrize("fault", ["immediate", "kill"])
def test_planned_faults_have_to_happen(story: Story, fault: str) -> None:
    report = judged(acked(story).finish(), faults=[{"fault": fault}])
    assert report["violations"] == {"planned_faults_did_not_happen": 1}


def test_a_fault_that_happened_counts(story: Story) -> None:
    story.crash()
    assert judged(acked(story).finish(), faults=[{"fault": "immediate"}])["ok"]


def test_a_dump_that_was_not_restored_did_not_happen(story: Story) -> None:
    story.op("nemesis", "fault", fault="dump", victim="")
    assert not judged(acked(story).finish(), faults=[{"fault": "dump"}])["ok"]


def test_a_restore_that_broke_down_is_found(story: Story) -> None:
    assert violations(dumped(story), acked(Story())) == {"dump_restore_failed": 1}
