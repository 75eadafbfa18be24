from __future__ import annotations

import signal
from dataclasses import replace
from typing import Any

import pytest

from pgqueue.consumer.record import ENDED, WAITING
from pgqueue.consumer.report import Phase
from pgqueue.daemon import rules
from pgqueue.daemon.model import FleetSettings, FleetView, Leaving
from pgqueue.errors import ConfigurationError
from tests.daemon.conftest import PLAN, beat, row, view


def test_processes_that_die_young_are_restarted_more_and_more_slowly() -> None:
    crashes, delays = 0, []
    for _ in range(20):
        crashes = rules.crashes_after(crashes, uptime=9.9, handled=0)
        delays.append(rules.restart_delay(crashes, uptime=9.9))
    assert delays[:4] == [2, 4, 6, 8]
    assert delays[14:] == [30] * 6


def test_process_that_lived_for_ten_seconds_is_replaced_at_once() -> None:
    crashes = rules.crashes_after(7, uptime=10.0, handled=0)
    assert (crashes, rules.restart_delay(crashes, uptime=10.0)) == (0, 0)


def test_process_that_died_young_after_it_had_worked_is_replaced_after_a_second() -> None:
    crashes = rules.crashes_after(7, uptime=2.0, handled=1)
    assert (crashes, rules.restart_delay(crashes, uptime=2.0)) == (0, 1)


def test_it_gives_up_only_when_no_place_keeps_a_process_alive() -> None:
    assert rules.gives_up([10, 12])
    assert not rules.gives_up([10, 0])
    assert not rules.gives_up([9])


@pytest.mark.parametrize(
    ("code", "name"),
    [
        (3, "exit code 3"),
        (-signal.SIGSEGV, "SIGSEGV"),
        (-signal.SIGKILL, "SIGKILL (perhaps out of memory)"),
        (-63, "signal 63"),
    ],
)
def test_death_is_named(code: int, name: str) -> None:
    assert rules.how_died(code) == name


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        (FleetSettings(), None),
        (FleetSettings(max_messages=10), "10 messages"),
        (FleetSettings(max_messages=11), None),
        (FleetSettings(max_megabytes=299), "300 MB"),
        (FleetSettings(max_megabytes=300), None),
    ],
)
def test_worker_has_done_enough_by_messages_or_memory(settings: FleetSettings, reason: str | None) -> None:
    worker = view(handled=10, beat=beat(resident_bytes=300 * rules.MEGABYTE))
    assert rules.recycle_reason(worker, settings) == reason


def test_worker_that_is_big_before_its_first_message_is_kept() -> None:
    worker = view(beat=beat(resident_bytes=300 * rules.MEGABYTE))
    assert rules.recycle_reason(worker, FleetSettings(max_megabytes=1)) is None


def test_message_is_stale_at_its_own_queues_limit() -> None:
    slow = replace(PLAN, number=1, queue="reports", health_stale=600.0)
    worker = view(row(1, since=0.0, plan=1), row(2, since=50.0), plans={0: PLAN, 1: slow})
    assert rules.stale_reason(worker, 109.9) is None
    assert "message 2 of queue orders" in (rules.stale_reason(worker, 110.0) or "")


@pytest.mark.parametrize("state", [WAITING, ENDED])
def test_message_that_doesnt_run_is_never_stale(state: int) -> None:
    assert rules.stale_reason(view(row(state=state)), 1e6) is None


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"silent_for": 60.0}, "said nothing for 60.0 s"),
        ({"beat": beat(loop_lag=61.0)}, "blocked its loop for 61.0 s"),
        ({"silent_for": 59.9}, None),
        ({"silent_for": 500.0, "beat": beat(Phase.STARTING)}, None),
    ],
)
def test_worker_without_any_progress_is_stale(change: dict[str, Any], words: str | None) -> None:
    found = rules.stale_reason(view(**change), 0.0)
    assert found is None if words is None else words in (found or "")


def test_limit_of_a_worker_is_that_of_its_newest_plans() -> None:
    plans = {0: replace(PLAN, health_stale=600.0), 1: replace(PLAN, number=1, health_stale=90.0)}
    assert rules.stale_limit(view(plans=plans)) == 90.0
    plans[2] = replace(PLAN, number=2, queue="mails", health_stale=95.0)
    assert rules.stale_limit(view(plans=plans)) == 95.0


def test_only_running_messages_of_a_silent_worker_are_renewed_each_third_of_vt_until_health_stale() -> None:
    rows = [row(1, since=100.0), row(2, since=100.0, state=WAITING), row(3, since=100.0, state=ENDED)]
    plans = {0: PLAN}
    assert rules.due_for_renewal(rows, plans, {}, 110.0) == rows[:1]
    assert rules.due_for_renewal(rows, plans, {rows[0]: 110.0}, 119.9) == []
    assert rules.due_for_renewal(rows, plans, {rows[0]: 110.0}, 120.0) == rows[:1]
    assert rules.due_for_renewal(rows, plans, {}, 160.0) == []


def test_worker_is_silent_long_before_its_leases_are_over() -> None:
    assert rules.is_silent(view(silent_for=10.0))
    assert not rules.is_silent(view(silent_for=9.9))


def test_stale_worker_is_left_alone_until_only_what_hangs_is_left() -> None:
    hanging, other = row(1, since=0.0), row(2, since=90.0)
    quiet = beat(Phase.QUIET)
    assert not rules.is_done_but_for(view(hanging, other, beat=quiet), 100.0)
    assert not rules.is_done_but_for(view(hanging, beat=beat(Phase.STOPPING)), 100.0), (
        "a read may be on its way"
    )
    assert rules.is_done_but_for(view(hanging, beat=quiet), 100.0)


def fleet(*workers: Any, **rest: Any) -> FleetView:
    given: dict[str, Any] = {"taken_at": 0.0, "workers": workers, "crashes": [0]}
    return FleetView(**(given | rest))


@pytest.mark.parametrize(
    ("seen", "words"),
    [
        (fleet(view()), None),
        (fleet(view(), crashes=[2]), None),
        (fleet(view(), crashes=[0, 3]), "worker 1 crashed 3 times"),
        (fleet(view(leaving=Leaving.STALE)), "being replaced"),
        (fleet(view(leaving=Leaving.RECYCLED)), None),
        (fleet(view(row(since=-60.0))), "message 1"),
        (fleet(view(beat=beat(all_failing_for=60.0))), "its reads fail for 60 s"),
        (fleet(view(beat=beat(all_failing_for=59.0))), None),
        (fleet(view(beat=beat(failing_for=600.0))), None),
        (fleet(view(beat=beat(turn_age=60.0))), "reads nothing"),
        (fleet(view(beat=beat(Phase.STARTING), uptime=60.0)), "not started after 60 s"),
        (fleet(view(beat=beat(Phase.STARTING), uptime=59.0)), None),
        (fleet(view(silent_for=90.0), stopping=True), None),
        (fleet(view(), taken_at=-10.0), "supervisor"),
    ],
)
def test_life_is_judged_from_the_last_view(seen: FleetView, words: str | None) -> None:
    found = rules.problems_of_life(seen, 0.0)
    assert found == [] if words is None else words in " ".join(found)


@pytest.mark.parametrize(
    ("seen", "ready"),
    [
        (fleet(view()), True),
        (fleet(view(), stopping=True), False),
        (fleet(), False),
        (fleet(view(beat=beat(Phase.STARTING))), False),
        (fleet(view(beat=beat(all_failing_for=5.0))), False),
        (fleet(view(beat=beat(all_failing_for=5.0)), view()), True),
        (fleet(view(beat=beat(failing_for=600.0))), True),
        (fleet(view(leaving=Leaving.STALE)), False),
    ],
)
def test_ready_means_that_a_worker_reads(seen: FleetView, ready: bool) -> None:
    assert (rules.problems_of_readiness(seen) == []) is ready


@pytest.mark.parametrize(
    ("codes", "number", "killed", "code"),
    [
        ([0, 0], signal.SIGTERM, False, 0),
        ([0, 1], signal.SIGTERM, False, 1),
        ([0, 143], signal.SIGTERM, False, 143),
        ([0, 143], signal.SIGINT, False, 130),
        ([0, -signal.SIGKILL], signal.SIGTERM, True, 143),
        ([], signal.SIGTERM, False, 0),
    ],
)
def test_exit_code_tells_whether_all_could_finish(
    codes: list[int], number: int, killed: bool, code: int
) -> None:
    assert rules.exit_code(codes, signal_number=number, killed=killed) == code


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ({"processes": -1}, "processes"),
        ({"processes": 65}, "processes"),
        ({"grace": float("nan")}, "grace"),
        ({"grace": -1.0}, "grace"),
        ({"port": 65536}, "port"),
        ({"port": -1}, "port"),
        ({"max_messages": 0}, "max_messages"),
        ({"max_megabytes": 0.0}, "max_megabytes"),
        ({"max_megabytes": float("inf")}, "max_megabytes"),
    ],
)
def test_settings_that_make_no_sense_are_refused_by_name(given: dict[str, Any], name: str) -> None:
    with pytest.raises(ConfigurationError, match=name):
        FleetSettings(**given)


def test_view_is_taken_often_enough_for_the_shortest_vt() -> None:
    assert rules.tick([PLAN]) == 1.0
    assert rules.tick([PLAN, replace(PLAN, vt=0.6)]) == pytest.approx(0.1)
    assert 0.1 < rules.tick([]) < 0.2
