from __future__ import annotations

import time
from collections.abc import Generator

import pytest

from pgqueue.db.liveness import DeadlinePassed, bounded, remaining

READY_NONE, READY_R, WAIT_R = 0, 1, 1


def waits(times: int) -> Generator[int, int, str]:
    for _ in range(times):
        yield WAIT_R
    return "answer"


def test_an_answer_passes_with_what_the_driver_waits_for() -> None:
    wait = bounded(waits(2), time.monotonic() + 60)
    assert next(wait) == WAIT_R
    assert wait.send(READY_R) == WAIT_R
    with pytest.raises(StopIteration) as end:
        wait.send(READY_R)
    assert end.value.value == "answer"


def test_an_answer_without_waiting_passes() -> None:
    with pytest.raises(StopIteration) as end:
        next(bounded(waits(0), 0))
    assert end.value.value == "answer"


def test_waiting_past_the_deadline_ends_also_when_bytes_trickle_in() -> None:
    for ready in (READY_NONE, READY_R):
        wait = bounded(waits(1000), time.monotonic() - 1)
        next(wait)
        with pytest.raises(DeadlinePassed):
            wait.send(ready)


def test_an_answer_that_arrives_with_the_deadline_counts() -> None:
    wait = bounded(waits(1), time.monotonic() - 1)
    next(wait)
    with pytest.raises(StopIteration):
        wait.send(READY_R)


def test_no_time_left_is_said() -> None:
    assert remaining(time.monotonic() + 60) > 59
    with pytest.raises(DeadlinePassed):
        remaining(time.monotonic() - 1)
