"""The part barrier: a sample whose barrier isn't done with one callback is void, and its bar is that of the full run."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from benchmarks.bars import BARS, bar_table
from benchmarks.clients.fan import WAYS, ack
from benchmarks.parts import barrier
from benchmarks.ratios import Results
from benchmarks.sample import Sample


class Answering:
    """Answers the two questions of the check."""

    def __init__(self, state: tuple[str, int], callbacks: int) -> None:
        self._rows: list[tuple[Any, ...]] = [state, (callbacks,)]

    def execute(self, *_: object) -> Any:
        row = self._rows.pop(0)
        return SimpleNamespace(fetchone=lambda: row)


@pytest.mark.parametrize(
    ("state", "callbacks", "void"),
    [(("done", 9), 1, False), (("done", 9), 0, True), (("done", 9), 2, True), (("live", 8), 0, True)],
)
def test_a_barrier_that_isnt_done_once_voids_the_sample(
    state: tuple[str, int], callbacks: int, void: bool
) -> None:
    connection: Any = Answering(state, callbacks)
    if void:
        with pytest.raises(SystemExit, match="void"):
            barrier._check_done(connection, 1, 9)
    else:
        barrier._check_done(connection, 1, 9)


def test_the_bar_is_about_the_case_of_a_full_run() -> None:
    rates = {"log barrier": 60.0, "log plain": 100.0, "row barrier": 40.0, "row plain": 100.0}
    case = barrier.case_of(barrier.PARTS)
    results = Results([Sample("barrier", case, system, 1, {"rate": rate}) for system, rate in rates.items()])
    (row,) = bar_table({"barrier": results}).rows
    assert row[1:] == ("≥ 0.5x", "0.60 met", "0.40 MISSED")
    assert [bar.goal for bar in BARS if bar.part == "barrier"] == [0.5]


def test_each_way_acks_as_it_says() -> None:
    message: Any = SimpleNamespace(
        msg_id=1, receipt=2, headers={"pgqueue-part": {"barrier": "b", "generation": 7, "part": 0}}
    )
    calls = {way: ack(way, "bench_log", [message]) for way in WAYS}
    assert {way: (call.name, call.may_commit_async) for way, call in calls.items()} == {
        "barrier": ("barrier.ack", False),
        "plain": ("message.delete_batch", False),
        "plain_async": ("message.delete_batch", True),
    }
