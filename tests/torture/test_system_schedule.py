"""The schedule of the system's torture run: decided before the start, by the seed alone."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests_integration.torture.system.faults import ALL, PROFILES
from tests_integration.torture.system.schedule import CONTROLS, make_schedule

SEEDS = range(1, 21)
SINGLE = ("kills", "net", "kills+net", "pooler", "server", "clock", "barrier", "claim", "cron", "leader")


def test_a_seed_says_everything() -> None:
    assert make_schedule(7, "everything", 120) == make_schedule(7, "everything", 120)
    assert make_schedule(7, "everything", 120) != make_schedule(8, "everything", 120)


@pytest.mark.parametrize("profile", [*SINGLE, "everything", *CONTROLS])
@pytest.mark.parametrize("seconds", [20, 60, 120])
def test_every_class_of_a_profile_happens_and_in_time(profile: str, seconds: float) -> None:
    for seed in SEEDS:
        schedule = make_schedule(seed, profile, seconds, supervised=True)
        classes = [fault.kind for fault in schedule.faults]
        assert set(classes) == set(PROFILES[profile].classes)
        for fault in schedule.faults:
            assert 0 < fault.at < 0.9 * seconds
            assert fault.until is None or fault.at <= fault.until <= seconds
        assert [fault.id for fault in schedule.faults] == list(range(1, len(classes) + 1))


def test_everything_meets_every_fault_in_twenty_seeds() -> None:
    met = {
        fault.fault
        for seed in SEEDS
        for fault in make_schedule(seed, "everything", 120, supervised=True).faults
    }
    assert met == {kind.name for kind in ALL}


def test_leaders_are_hit_only_where_processes_maintain_the_database() -> None:
    for profile in (*SINGLE, "everything"):
        for seed in SEEDS:
            schedule = make_schedule(seed, profile, 60, supervised=True)
            hit = {fault.fault for fault in schedule.faults} & {
                "kill_leader",
                "pause_leader",
                "kill_maintainer",
            }
            assert not hit or schedule.maintainers > 1
            assert schedule.maintainers or all(options["maintain"] for options in schedule.consumers)


def test_without_a_supervisor_nothing_is_asked_of_one() -> None:
    for seed in SEEDS:
        schedule = make_schedule(seed, "everything", 120, supervised=False)
        assert not {"kill_supervisor", "pause_command"} & {fault.fault for fault in schedule.faults}
        assert all(options["processes"] == 0 for options in schedule.consumers)


def test_poison_comes_early_enough_to_die_before_the_drain_is_over() -> None:
    for seed in SEEDS:
        schedule = make_schedule(seed, "poison", 60, supervised=True)
        assert {poison.mode for poison in schedule.poisons} == {"raise", "kill", "hang"}
        assert all(poison.at <= 0.4 * 60 for poison in schedule.poisons)


def test_the_schedule_is_written_in_the_words_of_the_checker(tmp_path: Path) -> None:
    make_schedule(3, "everything", 60, supervised=True).write(tmp_path)
    told = json.loads((tmp_path / "schedule.json").read_text())
    assert {"id", "fault", "class", "at", "until"} <= set(told["faults"][0])
    assert told["seed"] == 3
