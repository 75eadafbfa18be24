"""A sample whose effects don't show in the database is void."""

from __future__ import annotations

import pytest

from benchmarks import pgbench
from benchmarks.parts.engine import cells, check_moved
from benchmarks.parts.hold import divide, summary
from benchmarks.plan import turned


def test_what_moved_must_be_what_was_asked_for() -> None:
    check_moved("x", 100, 100, exactly=True)
    for moved in (99, 101, 0):
        with pytest.raises(SystemExit, match="void"):
            check_moved("x", moved, 100, exactly=True)


def test_reads_of_a_log_may_bring_a_little_less() -> None:
    check_moved("x", 95, 100, exactly=False)
    for moved in (50, 101):
        with pytest.raises(SystemExit, match="void"):
            check_moved("x", moved, 100, exactly=False)


def test_the_summary_of_pgbench_is_read() -> None:
    printed = (
        "number of transactions actually processed: 400/400\nlatency average = 1 ms\ntps = 80.5 (without)\n"
    )
    assert pgbench.parse(printed) == pgbench.Outcome(400, 80.5)


def test_a_pgbench_without_a_result_ends_the_run() -> None:
    with pytest.raises(SystemExit, match="no result"):
        pgbench.parse("nothing")


def test_each_round_begins_with_another_system() -> None:
    assert [turned("abc", number)[0] for number in range(4)] == ["a", "b", "c", "a"]
    assert sorted(turned("abc", 2)) == ["a", "b", "c"]
    assert turned("", 1) == []


def test_the_floor_is_in_no_asynchronous_cell() -> None:
    found = cells(("log", "pgmq", "floor"), ("read",), full=False)
    assert {system for cell in found if cell.commit == "async" for system in cell.systems} == {"log", "pgmq"}
    assert {system for cell in found if cell.commit == "sync" for system in cell.systems} == {
        "log",
        "pgmq",
        "floor",
    }


def test_the_hold_is_divided_into_windows() -> None:
    assert divide(180) == (10, 18)
    assert divide(3) == (1, 3)
    assert divide(1) == (1, 3)


def test_a_hold_is_compared_with_its_control_window_by_window() -> None:
    series = {
        "held_rate": [100.0, 90.0, 60.0, 50.0],
        "control_rate": [100.0, 100.0, 120.0, 100.0],
        "held_server_cpu_us": [1.0, 2.0, 3.0, 4.0],
        "control_server_cpu_us": [1.0, 1.0, 1.0, 1.0],
        **{f"{which}_{what}_mib": [1.0, 2.0] for which in ("held", "control") for what in ("heap", "index")},
    }
    found = summary(series)
    assert found["late_over_control"] == found["last_over_control"] == found["worst_over_control"] == 0.5
    assert found["over_control"] == 0.5
    assert found["last_over_first"] == 0.5
    assert found["rate"] == 50
    assert found["server_cpu_us"] == 4
