"""Times of the database and of the machine are compared by what the observer saw of both."""

from __future__ import annotations

from tests_integration.torture.verdict.clock import Clock, Reading

SECOND = 1_000_000_000
AHEAD = 500_000_000  # µs


def reading(second: int, offset: int = AHEAD, took: int = 1_000_000) -> Reading:
    before = second * SECOND
    return Reading(before, before + took, (before + took // 2) // 1000 + offset)


def test_without_a_reading_the_offset_of_the_start_counts() -> None:
    assert Clock.read(AHEAD, []).database(3 * SECOND) == 3_000_000 + AHEAD


def test_there_and_back() -> None:
    clock = Clock.read(0, [reading(1), reading(2)])
    assert clock.database(5 * SECOND) == 5_000_000 + AHEAD
    assert clock.monotonic(5_000_000 + AHEAD) == 5 * SECOND
    assert clock.steps == 0


def test_the_sharpest_reading_decides() -> None:
    slow = Reading(SECOND, 2 * SECOND, 2_000_000 + AHEAD)  # answered at the very end
    clock = Clock.read(0, [slow, reading(3)])
    assert clock.database(5 * SECOND) == 5_000_000 + AHEAD
    assert clock.slack(5 * SECOND) < slow.error


def test_a_clock_that_was_set() -> None:
    clock = Clock.read(
        0, [reading(1), reading(2), reading(3, AHEAD + 60_000_000), reading(4, AHEAD + 60_000_000)]
    )
    assert clock.steps == 1
    assert clock.database(2 * SECOND) == 2_000_000 + AHEAD
    assert clock.database(4 * SECOND) == 64_000_000 + AHEAD
    assert clock.monotonic(2_500_000 + AHEAD) == 2_500_000_000
    assert clock.monotonic(64_000_000 + AHEAD) == 4 * SECOND


def test_between_two_readings_that_differ_the_whole_step_is_in_doubt() -> None:
    clock = Clock.read(0, [reading(1), reading(2), reading(3, AHEAD + 60_000_000)])
    assert clock.slack(2_500_000_000) > 60_000_000
    assert clock.slack(SECOND) < 10_000
    assert clock.slack(4 * SECOND) < 10_000


def test_a_step_that_may_have_come_between_two_moments_counts_though_no_reading_shows_it_there() -> None:
    back = 5_000_000
    clock = Clock.read(0, [reading(1), reading(2), reading(4, AHEAD - back), reading(5, AHEAD - back)])
    begin = 2 * SECOND  # still seen at the old offset
    assert clock.earliest(begin, begin) > begin // 1000 + AHEAD - back // 2
    assert clock.earliest(begin, begin + SECOND) < begin // 1000 + AHEAD - back + 10_000


def test_what_the_clock_said_twice_is_told_apart_by_when_it_can_have_been() -> None:
    clock = Clock.read(0, [reading(1), reading(3, AHEAD - 2_000_000), reading(4, AHEAD - 2_000_000)])
    said = 2_000_000 + AHEAD
    assert clock.between(said, SECOND, 3 * SECOND) == 2 * SECOND
    assert clock.between(said, 3 * SECOND, 5 * SECOND) == 4 * SECOND


def test_what_a_step_forward_has_skipped_was_reached_at_the_step() -> None:
    clock = Clock.read(0, [reading(1), reading(3, AHEAD + 60_000_000)])
    assert clock.monotonic(30_000_000 + AHEAD) == 3 * SECOND
