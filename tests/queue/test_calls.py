from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from pgqueue.call import Repeat
from pgqueue.errors import InvalidInput
from pgqueue.queue import calls
from pgqueue.queue.model import Pause, QueueSettings

NOW = datetime(2030, 1, 1, tzinfo=UTC)
ROW = ("orders", "row", 3, 1, 1, 1, 0, False, 0, NOW, NOW, 3, '{"vt": 5}', NOW, None, None, None, None)


def test_only_calls_whose_second_run_changes_nothing_are_repeated() -> None:
    repeats = {
        call.name.removeprefix("queue."): call.repeat is Repeat.ALWAYS
        for call in (
            calls.create_queue("a"),
            calls.drop_queue("a"),
            calls.purge_queue("a"),
            calls.configure_queue("a", {}),
            calls.list_queues(),
            calls.metrics(),
            calls.settings("a"),
            calls.state("a"),
            calls.pause_queue("a", "why"),
            calls.resume_queue("a"),
        )
    }
    never = {name for name, repeated in repeats.items() if not repeated}
    assert never == {"drop_queue", "purge_queue", "resume_queue"}


def test_queues_are_read_with_their_effective_settings() -> None:
    (info,) = calls.list_queues().parse([ROW])
    assert (info.queue, info.depth, info.settings, info.created_at) == ("orders", 3, QueueSettings(vt=5), NOW)


def test_settings_are_read_over_the_defaults() -> None:
    effective = calls.settings("orders").parse([('{"vt": 5}',)])
    assert (effective.vt, effective.max_reads) == (5, 5)


def test_a_pause_is_read_with_who_and_why() -> None:
    row = (*ROW[:-4], "ann", "mails are down", NOW, None)
    assert calls.list_queues().parse([row])[0].paused == Pause("ann", "mails are down", NOW, None)
    assert calls.list_queues().parse([ROW])[0].paused is None
    state = calls.state("orders").parse([('{"vt": 5}', "ann", "mails are down", NOW, NOW)])
    assert state == (QueueSettings(vt=5), Pause("ann", "mails are down", NOW, NOW))
    assert calls.state("orders").parse([("{}", None, None, None, None)]).paused is None


def test_the_end_of_a_pause_is_an_instant_or_counts_from_now_by_the_databases_clock() -> None:
    until = calls.pause_queue("orders", "why", NOW)
    assert (until.params[-1], "pgqueue.clock()" in until.sql) == (NOW, False)
    lasting = calls.pause_queue("orders", "why", timedelta(minutes=5))
    assert (lasting.params[-1], "pgqueue.clock()" in lasting.sql) == (300.0, True)


@pytest.mark.parametrize(
    ("why", "until"),
    [
        ("", None),
        ("  ", None),
        (None, None),
        ("why", datetime(2030, 1, 1)),  # noqa: DTZ001
        ("why", timedelta(0)),
        ("why", timedelta(days=366)),
        ("why", "tomorrow"),
    ],
)
def test_a_pause_needs_a_reason_and_an_end_to_come(why: Any, until: Any) -> None:
    with pytest.raises(InvalidInput):
        calls.pause_queue("orders", why, until)


def test_bad_arguments_never_become_a_call() -> None:
    with pytest.raises(InvalidInput):
        calls.create_queue("Orders")
    with pytest.raises(InvalidInput):
        calls.configure_queue("orders", {"vt": 0})
