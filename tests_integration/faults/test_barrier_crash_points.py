"""A worker, or its session on the server, is killed at every statement from the last part's handler to its callback.

Whatever dies where: the callback is sent exactly once, its handler runs at least once, and what it writes with its ack
is there once. The table of points and outcomes is printed with `-s`; docs/torture.md has its summary.
"""

from __future__ import annotations

import contextlib
from collections import Counter
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.types.json import Jsonb

from pgqueue.db.embedded import Cluster
from tests_integration.faults.conftest import Tell
from tests_integration.faults.crash_runs import VT, Crew, crew
from tests_integration.fixtures.cluster import install_schema, tcp_conninfo
from tests_integration.fixtures.database import Database
from tests_integration.fixtures.waiting import eventually

PARTS = 3
LAST = {"barrier": "barrier_finish", "barrier, ctx.tx": "commit 3"}
STEPS_OF_HANDLERS = {"part", "callback"}

pytestmark = pytest.mark.timeout(400)  # three dozen processes a test


@dataclass(frozen=True)
class Found:
    """What there is of a barrier: its state, open parts, messages that wait, callbacks sent and finished."""

    state: str
    open: int
    waiting: int
    sent: int
    finished: bool

    def __str__(self) -> str:
        callback = "finished" if self.finished else "sent" if self.sent else "not sent"
        return f"barrier {self.state}, {self.open} open, callback {callback}, {self.waiting} waiting"


class Hall:
    """Barriers of three parts, of which two have arrived, in a queue of their own each."""

    def __init__(self, conninfo: str) -> None:
        self._conninfo = conninfo
        self.run("create table public.effect (queue text)")
        self.run("create table public.sent (queue text, msg_id bigint)")
        self.run(
            "create function public.note() returns trigger language plpgsql as $$ begin"
            " insert into public.sent values (tg_argv[0], new.msg_id); return null; end $$"
        )

    def run(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        connection = eventually(self._connected, 20)
        assert connection
        with connection:
            cursor = connection.execute(statement.encode(), values or None)
            return cursor.fetchall() if cursor.description else []

    def _connected(self) -> psycopg.Connection | None:
        """Come back when the server is up: after the kill of a backend it recovers."""
        with contextlib.suppress(psycopg.OperationalError):
            return psycopg.connect(self._conninfo, autocommit=True)
        return None

    def fill(self, queue: str, parts: int = PARTS) -> None:
        """Make the queue, arm its barrier and let all parts but the last arrive."""
        self.run("select pgqueue.create_queue(%s, 'row')", queue)
        self.run(
            f"create trigger note after insert on pgqueue.r_{queue} for each row"
            f" when (new.headers ? 'pgqueue-barrier') execute function public.note('{queue}')"
        )
        if parts:
            self.arm(queue, queue, parts)

    def arm(self, queue: str, key: str, parts: int) -> None:
        made = [{"queue": queue, "message": {"n": n}} for n in range(parts)]
        callback = Jsonb({"queue": queue, "message": {}})
        self.run("select pgqueue.barrier_arm(%s, %s, %s)", key, Jsonb(made), callback)
        for _ in range(parts - 1):
            self.run(
                "select b.* from pgqueue.read(%s) r, pgqueue.barrier_ack(%s, array[r.msg_id], array[r.receipt],"
                " array[(r.headers #>> '{pgqueue-part,generation}')::bigint],"
                " array[(r.headers #>> '{pgqueue-part,part}')::integer]) b",
                queue,
                queue,
            )

    def look(self, key: str, queue: str) -> Found:
        ((state, still_open, waiting, sent, finished),) = self.run(
            "select b.state, b.open, (select count(*)::int from pgqueue.messages m where m.queue = %s),"
            " (select count(distinct s.msg_id)::int from public.sent s where s.queue = %s), b.callback_finished_at is not null"
            " from pgqueue.barrier b where b.key = %s",
            queue,
            queue,
            key,
        )
        return Found(state, still_open, waiting, sent, finished)

    def ended(self, key: str, queue: str) -> bool:
        """Tell whether all is done; false also while the server recovers."""
        try:
            found = self.look(key, queue)
        except psycopg.OperationalError:
            return False
        return found.state == "done" and found.finished and not found.waiting

    def effects(self, name: str) -> int:
        ((count,),) = self.run("select count(*)::int from public.effect where queue = %s", name)
        return int(count)


DONE = Found("done", 0, 0, 1, finished=True)


def points_of(workers: Crew, hall: Hall) -> list[str]:
    """Run it through once; return the points from the begin of the last part's handler on."""
    hall.fill("counting")
    end = LAST[workers.scenario]
    points = workers.count_points("counting", end)
    first = next(n for n, point in enumerate(points) if "read" in point and point.startswith("after"))
    last = next(n for n, point in enumerate(points) if point.startswith(f"after {end}"))
    found = points[first : last + 1]
    assert len(set(found)) == len(found), f"a point without a name of its own: {found}"
    assert any("barrier_callback" in point for point in found), found
    return found


def check_effects(name: str, queue: str, point: str, hall: Hall, workers: Crew) -> tuple[int, int]:
    """Return how often the handlers of part and callback ran."""
    runs = []
    for what in ("part", "callback"):
        started = len(workers.times(f"start-{what}-{queue}"))
        assert 1 <= started <= 2, f"{point}: {what} ran {started} times"
        if name == "barrier, ctx.tx":
            effects = hall.effects(f"{what}-{queue}")
            assert effects == 1, f"{point}: {effects} effects of the {what}"
        runs.append(started)
    return runs[0], runs[1]


@pytest.mark.parametrize("name", ["barrier", "barrier, ctx.tx"])
def test_wherever_the_worker_is_killed_the_callback_is_sent_once(
    name: str, database: Database, tmp_path: Path, tell: Tell
) -> None:
    hall = Hall(database.conninfo)
    with crew(tmp_path, database.conninfo, name) as workers:
        points = {f"q{n}": point for n, point in enumerate(points_of(workers, hall))}
        for queue in points:
            hall.fill(queue)
        workers.die_at_all(points)
        left = {queue: hall.look(queue, queue) for queue in points}
        for queue, found in left.items():
            assert (found.state == "done") == (found.sent == 1), f"{points[queue]}: {found}"
        healthy = workers.start("healthy", points)
        healthy.wait_for("consumer.started")
        eventually(lambda: all(hall.look(queue, queue) == DONE for queue in points), VT + 20)
        for queue, point in points.items():
            runs = check_effects(name, queue, point, hall, workers)
            show(name, point, left[queue], runs)
    tell("barrier, kills", name, len(points))


@pytest.mark.parametrize("name", ["barrier", "barrier, ctx.tx"])
def test_wherever_the_session_is_killed_the_callback_is_sent_once(
    name: str, own_cluster: Cluster, tmp_path: Path, tell: Tell
) -> None:
    """kill -9 of the process that serves the worker's connection: the server throws everybody out and recovers."""
    conninfo = tcp_conninfo(own_cluster)
    install_schema(conninfo)
    hall = Hall(conninfo)
    with crew(tmp_path, conninfo, name) as workers:
        points = [
            point for point in numbered(points_of(workers, hall)) if point.split()[1] not in STEPS_OF_HANDLERS
        ]
        plan = tmp_path / "plan"
        hall.fill("q", parts=0)
        worker = workers.start("all", ["q"], CRASH_PLAN=str(plan))
        worker.wait_for("consumer.started")
        for n, point in enumerate(points):
            plan.write_text(point)
            hall.arm("q", f"b{n}", parts=1)
            eventually(partial(hall.ended, f"b{n}", "q"), VT + 20)
            assert not plan.exists(), f"{point}: the worker did not come there"
            sent = hall.run("select count(distinct msg_id)::int from public.sent where queue = 'q'")[0][0]
            assert sent == n + 1, f"{point}: {sent - n} callbacks"
        if name == "barrier, ctx.tx":
            assert (hall.effects("part-q"), hall.effects("callback-q")) == (len(points), len(points))
    tell("barrier, sessions killed", name, len(points))


def numbered(points: list[str]) -> list[str]:
    """Count each point from the first of these on."""
    seen: Counter[str] = Counter()
    found = []
    for point in points:
        name = point.rpartition(" ")[0]
        seen[name] += 1
        found.append(f"{name} {seen[name]}")
    return found


def show(name: str, point: str, left: Found, runs: tuple[int, int]) -> None:
    print(f"| {name} | {point} | {left} | part {runs[0]}, callback {runs[1]} |")  # noqa: T201 - the table
