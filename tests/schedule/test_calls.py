from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from pgqueue.call import Repeat
from pgqueue.errors import InvalidInput
from pgqueue.message import calls as message_calls
from pgqueue.schedule import calls
from pgqueue.schedule.model import DueSchedule, Options, Plan

NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)
DUE = DueSchedule("tick", "orders", "* * * * *", "UTC", "latest", 100, timedelta(0), None, NOON, NOON)
PLAN = Plan((NOON,), NOON, NOON)
SENDING = message_calls.send("orders", {"n": 1}, priority=3)


def test_what_may_be_repeated() -> None:
    """A firing whose answer was lost finds its slot advanced; one by hand would send again."""
    for call in (
        calls.set_schedule("tick", "* * * * *", SENDING),
        calls.pause_schedule("tick", "why"),
        calls.resume_schedule("tick"),
        calls.delete_schedule("tick"),
        calls.schedules(),
        calls.due_schedules(),
        calls.fire_schedule(DUE, PLAN),
        calls.disable_schedule(DUE, "x"),
    ):
        assert call.repeat is Repeat.ALWAYS
        assert call.sql.count("%s") == len(call.params)
        assert not call.may_commit_async, "others act on the rows"
    assert calls.fire_schedule_now("tick").repeat is Repeat.NEVER


def test_rule_is_written_as_five_fields() -> None:
    assert "0 0 * * *" in calls.set_schedule("tick", "@daily", SENDING).params


def test_who_waits_is_woken_when_something_was_sent() -> None:
    call = calls.fire_schedule(DUE, PLAN)
    assert call.hint([("fired", 1, None, None, None, True)]) is not None
    assert call.hint([("lost", 0, None, None, None, False)]) is None


def test_instants_are_read_as_utc() -> None:
    """Of two instants of one zone Python compares what the wall clock shows: wrong in a repeated hour."""
    eastern = NOON.astimezone(tz=None)
    (due,) = calls.due_schedules().result([(*DUE[:8], eastern, eastern)])
    assert (due.slot, due.seen_at.tzinfo) == (NOON, UTC)


@pytest.mark.parametrize("why", ["", "  ", None, 7])
def test_pause_says_why(why: str) -> None:
    with pytest.raises(InvalidInput):
        calls.pause_schedule("tick", why)


@pytest.mark.parametrize("cron", ["* * * *", "@reboot", "0 0 30 2 *"])
def test_bad_rule_costs_no_round_trip(cron: str) -> None:
    with pytest.raises(InvalidInput):
        calls.set_schedule("tick", cron, SENDING, Options())
