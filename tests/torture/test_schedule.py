"""One seed is one schedule, and every schedule has what a run is for."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests_integration.torture.checker.verdict import MUST_HAPPEN
from tests_integration.torture.history import Recorder, payload_hash, read_lines
from tests_integration.torture.schedule import make_schedule

SEEDS = range(1, 41)


def test_the_same_seed_makes_the_same_schedule() -> None:
    assert make_schedule(7, "row", "everything", 30) == make_schedule(7, "row", "everything", 30)


def test_seeds_differ() -> None:
    assert len({make_schedule(seed, "row", "everything", 30).faults for seed in SEEDS}) == len(SEEDS)


def test_both_kinds_meet_the_same_pressure() -> None:
    row, log = (make_schedule(7, kind, "everything", 30) for kind in ("row", "log"))
    assert (row.faults, row.workers, row.vt) == (log.faults, log.workers, log.vt)


@pytest.mark.parametrize("seed", SEEDS)
def test_every_long_run_has_every_class_of_fault(seed: int) -> None:
    planned = {fault.fault for fault in make_schedule(seed, "row", "everything", 30).faults}
    assert planned >= {*MUST_HAPPEN, "kill", "terminate", "pause"}


@pytest.mark.parametrize("seed", SEEDS)
def test_no_dump_is_planned_near_the_loss_of_the_server(seed: int) -> None:
    faults = make_schedule(seed, "row", "everything", 30).faults
    dumps = [fault.at for fault in faults if fault.fault == "dump"]
    losses = [fault.at for fault in faults if fault.fault in {"immediate", "kill_server"}]
    assert all(abs(dump - loss) > 2 for dump in dumps for loss in losses)


def test_half_of_the_seeds_run_without_maintenance() -> None:
    roles = [{w.role for w in make_schedule(seed, "row", "everything", 30).workers} for seed in SEEDS]
    assert sum("maintainer" in found for found in roles) == len(SEEDS) // 2


def test_a_crash_run_stops_the_server_as_often_as_it_was_told() -> None:
    faults = make_schedule(1, "log", "crash", 40, crashes=10).faults
    assert [fault.fault for fault in faults] == ["immediate"] * 10
    assert all(0 < fault.at < 40 for fault in faults)


def test_a_line_that_was_cut_by_a_kill_is_left_out(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path, "w")
    number = recorder.invoke("send", tx=None)
    recorder.end(number, "ok", "send", ids=[1])
    recorder.close()
    with (tmp_path / "history-w.jsonl").open("a") as file:
        file.write('{"t": 1, "p"')
    assert [line["k"] for line in read_lines(tmp_path)] == ["invoke", "ok"]


def test_a_payload_has_one_hash_however_its_keys_are_ordered() -> None:
    assert payload_hash({"a": 1, "b": [2]}) == payload_hash({"b": [2], "a": 1})
    assert payload_hash({"a": 1}) != payload_hash({"a": 2})
