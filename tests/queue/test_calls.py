from __future__ import annotations

from datetime import UTC, datetime

import pytest

from pgqueue.call import Repeat
from pgqueue.errors import InvalidInput
from pgqueue.queue import calls
from pgqueue.queue.model import QueueSettings

NOW = datetime(2030, 1, 1, tzinfo=UTC)
ROW = ("orders", "row", 3, 1, 1, 1, 0, False, 0, NOW, NOW, 3, '{"vt": 5}', NOW)


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
        )
    }
    assert {name for name, repeated in repeats.items() if not repeated} == {"drop_queue", "purge_queue"}


def test_queues_are_read_with_their_effective_settings() -> None:
    (info,) = calls.list_queues().parse([ROW])
    assert (info.queue, info.depth, info.settings, info.created_at) == ("orders", 3, QueueSettings(vt=5), NOW)


def test_settings_are_read_over_the_defaults() -> None:
    effective = calls.settings("orders").parse([('{"vt": 5}',)])
    assert (effective.vt, effective.max_reads) == (5, 5)


def test_bad_arguments_never_become_a_call() -> None:
    with pytest.raises(InvalidInput):
        calls.create_queue("Orders")
    with pytest.raises(InvalidInput):
        calls.configure_queue("orders", {"vt": 0})
