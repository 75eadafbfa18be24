"""The worker process is killed before and after every statement it sends, and at every step of a handler's work."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest

from tests_integration.faults.conftest import Tell
from tests_integration.faults.crash_runs import AT_ONCE, MARGIN, VT, Crew, crew
from tests_integration.fixtures.database import Database
from tests_integration.fixtures.waiting import eventually


@dataclass(frozen=True)
class Case:
    """`last`: the statement that ends the scenario. `rows`: how many effects in the database, `acts`: how many outside.

    None of `rows` or `acts` means that this isn't what the scenario is about.
    """

    last: str
    messages: int = 1
    dead: str | None = None
    rows: int = 0
    acts: int = 0
    options: tuple[str, ...] = ()


CASES = {
    "send, claim, effect, ack": Case("delete_batch", acts=1),
    "send, claim, effect in a thread, ack": Case("delete_batch", acts=1),
    "dead letter": Case("bury_batch", dead="hopeless"),
    "poison": Case("bury_batch", dead="poison", options=("--max-reads", "1")),
    "ctx.tx": Case("commit", rows=1),
    "ctx.tx in a thread": Case("commit", rows=1),
    "release at SIGTERM": Case("release_batch 2", messages=4, acts=4),
}


class Scene:
    """A database with a queue for each point, and what is found there."""

    def __init__(self, db: psycopg.Connection) -> None:
        self._db = db
        db.execute("create table public.effect (queue text)")

    def fill(self, queue: str, messages: int) -> None:
        self._db.execute("select pgqueue.create_queue(%s)", [queue])
        self._db.execute(
            "select pgqueue.send(%s, jsonb_build_object('n', n)) from generate_series(0, %s) n order by n",
            [queue, messages - 1],
        )

    def left(self) -> dict[str, int]:
        """Count what waits, by queue."""
        return dict(
            self._db.execute("select queue, count(*) from pgqueue.messages group by queue").fetchall()
        )

    def leased(self) -> set[str]:
        rows = self._db.execute("select distinct queue from pgqueue.messages where state = 'in_flight'")
        return {queue for (queue,) in rows}

    def dead(self, queue: str) -> list[str]:
        rows = self._db.execute("select reason from pgqueue.dead_letters where queue = %s", [queue])
        return [reason for (reason,) in rows]

    def effects(self, queue: str) -> int:
        row = self._db.execute("select count(*) from public.effect where queue = %s", [queue]).fetchone()
        assert row is not None
        count: int = row[0]
        return count


pytestmark = pytest.mark.timeout(240)  # two dozen processes a test


@pytest.fixture
def scene(db: psycopg.Connection) -> Scene:
    return Scene(db)


@pytest.mark.parametrize("name", CASES)
def test_wherever_a_worker_is_killed_the_next_one_finishes_its_work(
    name: str, database: Database, scene: Scene, tmp_path: Path, tell: Tell
) -> None:
    case = CASES[name]
    with crew(tmp_path, database.conninfo, name, *case.options) as workers:
        scene.fill("counting", case.messages)
        points = {f"q{n}": point for n, point in enumerate(count(workers, case))}
        for queue in points:
            scene.fill(queue, case.messages)
        died = workers.die_at_all(points)
        leased = scene.leased()
        healthy = workers.start("healthy", points)
        healthy.wait_for("consumer.started")
        since = time.monotonic()
        eventually(lambda: finished(scene, points), VT + 20)
        for queue, point in points.items():
            check_effects(case, queue, point, scene, workers)
        check_delays(leased & points.keys(), died, since, workers, healthy.process.pid)
    tell("crash points", name, len(points))


@pytest.mark.parametrize("name", ["send, claim, effect, ack", "poison"])
def test_wherever_a_supervised_worker_is_killed_the_command_finishes_its_work_by_itself(
    name: str, database: Database, scene: Scene, tmp_path: Path, tell: Tell
) -> None:
    case = CASES[name]
    with crew(tmp_path, database.conninfo, name, *case.options) as workers:
        scene.fill("counting", case.messages)
        points = {f"q{n}": point for n, point in enumerate(count(workers, case))}
        for queue in points:
            scene.fill(queue, case.messages)

        def survive(queue: str) -> None:
            workers.survive(points[queue], queue, lambda: queue not in scene.left())

        with ThreadPoolExecutor(AT_ONCE) as pool:
            list(pool.map(survive, points))
        for queue, point in points.items():
            check_effects(case, queue, point, scene, workers)
    tell("crash points", f"{name} (supervised)", len(points))


def test_a_worker_that_acks_before_its_handler_has_worked_is_caught(
    database: Database, scene: Scene, tmp_path: Path
) -> None:
    """A test of the test."""
    point = "after delete_batch 1"
    with crew(tmp_path, database.conninfo, "ack before the effect") as workers:
        scene.fill("q0", 1)
        workers.die(point, "q0")
        assert scene.left() == {}, "the message is gone, and its work was not done"
        with pytest.raises(AssertionError, match="0 effects"):
            check_effects(CASES["send, claim, effect, ack"], "q0", point, scene, workers)


def finished(scene: Scene, points: dict[str, str]) -> bool:
    left = {points[queue]: count for queue, count in scene.left().items() if queue in points}
    print("left:", left)  # noqa: T201 - the last one tells where it hangs
    return not left


def count(workers: Crew, case: Case) -> list[str]:
    points = workers.count_points("counting", case.last)
    last = next(n for n, point in enumerate(points) if point.startswith(f"after {case.last}"))
    assert len(set(points[: last + 1])) == last + 1, f"a point without a name of its own: {points}"
    return points[: last + 1]


def check_effects(case: Case, queue: str, point: str, scene: Scene, workers: Crew) -> None:
    dead = scene.dead(queue)
    assert dead == ([case.dead] if case.dead else []), f"{point}: dead letters {dead}"
    assert scene.effects(queue) == case.rows, f"{point}: {scene.effects(queue)} effects with the ack"
    acts = len(workers.times(f"effect-{queue}"))
    # A crash repeats what it interrupted, of each message at most once.
    assert case.acts <= acts <= 2 * case.acts, f"{point}: {acts} effects outside of the database"


def check_delays(queues: set[str], died: dict[str, float], since: float, workers: Crew, pid: int) -> None:
    """Whatever a dead worker held is handled again when its vt is over."""
    for queue in queues:
        starts = workers.times(f"start-{queue}", pid)
        if starts:  # poison is buried without a start
            due = max(died[queue] + VT, since)
            assert starts[0] <= due + MARGIN, f"{queue}: {starts[0] - due:.1f} s late"
