from __future__ import annotations

import mmap
from dataclasses import replace

import pytest

from pgqueue.consumer import record
from pgqueue.consumer.model import Held, QueuePlan
from pgqueue.consumer.record import (
    ENDED,
    ROWS,
    SIZE,
    STARTED,
    WAITING,
    Cells,
    Record,
    read_handled,
    read_rows,
)
from tests.consumer.conftest import PLAN, held

Told = list[tuple[int, QueuePlan]]


@pytest.fixture
def cells() -> Cells:
    return memoryview(mmap.mmap(-1, SIZE)).cast("q")


@pytest.fixture
def told() -> Told:
    return []


@pytest.fixture
def written(cells: Cells, told: Told) -> Record:
    return Record(cells, lambda number, plan: told.append((number, plan)))


def some(*ids: int, plan: QueuePlan = PLAN) -> list[Held]:
    return [held(plan=plan, msg_id=n, read_ct=3, release_ct=1, at=5.0) for n in ids]


def test_empty_memory_holds_nothing(cells: Cells) -> None:
    assert read_rows(cells) == []


def test_each_state_of_a_message_is_read_back(written: Record, cells: Cells) -> None:
    waiting, started, ended, gone = some(1, 2, 3, 4)
    written.claimed(PLAN, [waiting, started, ended, gone])
    started.started_at = ended.started_at = 7.25
    for one in (started, ended):
        written.started(one)
    written.ended(ended)
    written.forget(gone)
    assert [(row.msg_id, row.state, row.since) for row in read_rows(cells)] == [
        (1, WAITING, 5.0), (2, STARTED, 7.25), (3, ENDED, 7.25),
    ]  # fmt: skip
    first = read_rows(cells)[0]
    assert (first.plan, first.attempt, first.receipt) == (0, 2, 1003)


def test_handlers_that_ended_are_counted_also_those_that_are_not_recorded(
    written: Record, cells: Cells
) -> None:
    mine, other = some(1, 2)
    written.claimed(PLAN, [mine])
    for one in (mine, other):
        written.ended(one)
    assert read_handled(cells) == 2
    assert [row.msg_id for row in read_rows(cells)] == [1]


def test_largest_ids_and_negative_receipts_survive(written: Record, cells: Cells) -> None:
    (one,) = some(2**63 - 1)
    one = replace(one, message=one.message._replace(receipt=-(2**63)))
    written.claimed(PLAN, [one])
    assert read_rows(cells)[0][3:5] == (2**63 - 1, -(2**63))


def test_plan_is_told_once_before_a_row_names_it(cells: Cells) -> None:
    order: list[object] = []
    written = Record(cells, lambda number, _: order.append((number, len(read_rows(cells)))))
    other = replace(PLAN, vt=99.0)
    for plan, ids in ((PLAN, (1, 2)), (PLAN, (3,)), (other, (4,)), (PLAN, (5,))):
        written.claimed(plan, some(*ids, plan=plan))
    assert order == [(0, 0), (1, 3)]
    assert [row.plan for row in read_rows(cells)] == [0, 0, 0, 1, 0]


def test_rows_are_used_again_and_what_doesnt_fit_is_left_out(written: Record, cells: Cells) -> None:
    first = some(*range(1, ROWS + 10))
    written.claimed(PLAN, first)
    assert len(read_rows(cells)) == ROWS
    for one in first:
        written.started(one)
        written.forget(one)
        written.forget(one)  # by two ways at once: a row is free only once
    assert read_rows(cells) == []
    written.claimed(PLAN, some(*range(1, ROWS + 10)))
    assert sorted(row.msg_id for row in read_rows(cells)) == list(range(1, ROWS + 1))


def test_message_of_a_thousand_attempts_keeps_its_plan(written: Record, cells: Cells) -> None:
    (one,) = some(1)
    one = replace(one, message=one.message._replace(read_ct=1_000_000, release_ct=0))
    written.claimed(PLAN, [one])
    assert (read_rows(cells)[0].attempt, read_rows(cells)[0].plan) == (1_000_000, 0)


def test_more_plans_than_a_row_can_name_are_not_recorded(
    written: Record, cells: Cells, monkeypatch: pytest.MonkeyPatch, told: Told
) -> None:
    monkeypatch.setattr(record, "_PLAN", 0)
    written.claimed(PLAN, some(1))
    written.claimed(replace(PLAN, vt=99.0), some(2))
    assert [row.msg_id for row in read_rows(cells)] == [1]
    assert len(told) == 1
