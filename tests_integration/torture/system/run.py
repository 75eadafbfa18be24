"""One run, from schedule to folder: start, load, faults, drain, what is left. Judging is the checker's."""

from __future__ import annotations

import json
import secrets
import shutil
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg

from tests_integration.torture.system import command, controls, evidence, timetable, witness
from tests_integration.torture.system.crew import Crew, producer
from tests_integration.torture.system.deaths import killed_by_supervisors
from tests_integration.torture.system.ground import Ground, prepared_ground, versions
from tests_integration.torture.system.nemesis import Nemesis
from tests_integration.torture.system.observer import Observer
from tests_integration.torture.system.recorder import History
from tests_integration.torture.system.schedule import VT, Schedule

FORMAT = 1
STEP_SECONDS = 0.05
WARM_UP_SECONDS = 20.0
EMPTY_SECONDS = 2 * VT
GIVE_UP_SECONDS = 5 * VT + 60
SESSIONS_SECONDS = 3.0
CATCH_UP_SECONDS = 25.0  # the lease of a leader that was just killed, an election, a round
MARGIN = 1.2
OURS = (
    "select count(*) from pg_stat_activity where backend_type = 'client backend' and pid <> pg_backend_pid()"
)


@dataclass
class Outcome:
    """How the run itself went, beside what the checker will say about the system. `failures` is for people."""

    failures: list[str] = field(default_factory=list)
    restarts: int = 0


def run(schedule: Schedule, folder: Path, *, override: str = "", at_least: int = 0) -> Outcome:
    """Fill `folder` with the evidence of this schedule. Nothing that was started outlives this.

    On a machine that is busy with other things the load goes on, up to twice as long, until `at_least` so many
    messages were sent.
    """
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "tmp").mkdir(parents=True)
    schedule.write(folder)
    outcome = Outcome()
    with prepared_ground(schedule, folder, override) as ground:
        crew = _crew(schedule, folder, ground)
        history = History(folder, "parent", "parent")
        try:
            _configure(schedule, folder, ground)
            _play(schedule, folder, ground, crew, history, outcome, at_least)
        finally:
            survivors = crew.kill_all()
        outcome.failures += crew.failures
        outcome.restarts = crew.restarts
        history.note("phase", phase="stopped")
        _finish(schedule, folder, ground, survivors, history)
    history.close()
    evidence.write_manifest(folder)
    shutil.rmtree(folder / "tmp", ignore_errors=True)
    return outcome


def _crew(schedule: Schedule, folder: Path, ground: Ground) -> Crew:
    members = [producer(folder, f"producer-{n}") for n in range(schedule.producers)]
    dsns = (ground.through("consumers"), ground.through("listeners"))
    extra = controls.environment(schedule.control)
    members += [
        command.consumer(folder, f"consumer-{n}", list(schedule.queues), dsns, options, extra)
        for n, options in enumerate(schedule.consumers)
    ]
    members += [command.maintainer(folder, f"maintainer-{n}", dsns) for n in range(schedule.maintainers)]
    may_die = any(poison.mode == "kill" for poison in schedule.poisons)
    return Crew(folder, secrets.token_hex(8), members, may_die=may_die)


def _configure(schedule: Schedule, folder: Path, ground: Ground) -> None:
    made_with = versions(ground)
    repro = f"python -m tests_integration.torture.system --profile {schedule.profile} --seed {schedule.seed}"
    config = {
        "format": FORMAT,
        "seed": schedule.seed,
        "profile": schedule.profile,
        "seconds": schedule.seconds,
        "commit": made_with["commit"],
        "versions": made_with,
        "repro": f"{repro} --seconds {schedule.seconds:g} --kind {schedule.kind}",
        "clock_offset_us": (time.clock_gettime_ns(time.CLOCK_REALTIME) - time.monotonic_ns()) // 1000,
        "audit": True,
        "coordination": True,
        "minimum_drained": 1000,
        "negative_control": bool(schedule.control),
        "queues": {queue: _told(made) for queue, made in schedule.queues.items()},
    }
    if schedule.slots:
        config["timetable"] = timetable.told(list(schedule.queues))
    (folder / "config.json").write_text(json.dumps(config, indent=1) + "\n")


def _told(made: dict[str, Any]) -> dict[str, Any]:
    settings = made["settings"]
    return {
        "kind": made["kind"],
        "vt_us": round(settings["vt"] * 1_000_000),
        "health_stale_us": round(settings["health_stale"] * 1_000_000),
        "max_reads": settings["max_reads"],
        "repark_budget": settings["repark_budget"],
        "ack_async": settings["ack_commit"] == "async",
        "read_async": settings["ack_commit"] == "async",
    }


def _play(
    schedule: Schedule,
    folder: Path,
    ground: Ground,
    crew: Crew,
    history: History,
    outcome: Outcome,
    at_least: int,
) -> None:
    observer, nemesis = Observer(folder, ground), Nemesis(folder, ground, crew, schedule)
    observer.start()
    try:
        began = _begin(schedule, folder, ground, crew)
        history.note("phase", phase="load")
        nemesis.start(began)
        while (elapsed := time.monotonic() - began) < schedule.seconds or (
            elapsed < 2 * schedule.seconds and _sent(ground) < MARGIN * at_least
        ):
            crew.supervise()
            time.sleep(STEP_SECONDS)
        crew.stop("producer")
        _heal(nemesis, crew)
        if schedule.slots:
            _stop_schedules(ground, crew)
        history.note("phase", phase="drain")
        _drain(ground, crew, history, list(schedule.queues))
        for pid in crew.stop("consumer") + crew.stop("maintainer"):
            history.note("died", pid=pid, why="stopped")
        for pid, why in killed_by_supervisors(folder):
            history.note("died", pid=pid, why=why)
    finally:
        outcome.failures += nemesis.failures
        observer.stop()


def _begin(schedule: Schedule, folder: Path, ground: Ground, crew: Crew) -> float:
    """Start everybody, wait until somebody works, and return the zero of the schedule's times."""
    told = {
        "producers_dsn": ground.through("producers"),
        "began": time.monotonic() + 1.0,
        "tx": schedule.control != "early_ack",
    }
    (folder / "run.json").write_text(json.dumps(told) + "\n")
    crew.start()
    deadline = time.monotonic() + WARM_UP_SECONDS
    with ground.connect() as connection:
        while (
            not (row := connection.execute("select exists (select from torture.audit)").fetchone())
            or not row[0]
        ):
            if time.monotonic() > deadline:
                raise TimeoutError(
                    f"no message was claimed within {WARM_UP_SECONDS:g} s: see the logs in {folder}"
                )
            crew.supervise()
            time.sleep(STEP_SECONDS)
    return time.monotonic()


def _sent(ground: Ground) -> int:
    """Return how many ids were drawn; some of those were rolled back."""
    with ground.connect() as connection:
        return _one(connection, "select coalesce(sum(last_msg_id), 0)::bigint from pgqueue.queues")


def _heal(nemesis: Nemesis, crew: Crew) -> None:
    """Heal while the crew is looked after: a command that was told to end has to be started again."""
    healing = threading.Thread(target=nemesis.heal, name="healing")
    healing.start()
    while healing.is_alive():
        crew.supervise()
        healing.join(STEP_SECONDS)


def _stop_schedules(ground: Ground, crew: Crew) -> None:
    """Give whoever leads next the time to fire what has come, then let no further slot be fired."""
    deadline = time.monotonic() + CATCH_UP_SECONDS
    with ground.connect() as connection:
        while timetable.is_behind(connection) and time.monotonic() < deadline:
            crew.supervise()
            time.sleep(STEP_SECONDS)
        timetable.stop(connection)


def _drain(ground: Ground, crew: Crew, history: History, queues: list[str]) -> None:
    """Wait until no message and no live barrier has been left for two leases; give up after five and a minute."""
    number = history.invoke("drained")
    deadline, empty_since, left = time.monotonic() + GIVE_UP_SECONDS, None, -1
    connection: psycopg.Connection[Any] | None = None
    while time.monotonic() < deadline:
        crew.supervise()
        time.sleep(STEP_SECONDS)
        try:
            connection = connection or ground.connect()
            left = evidence.left(connection, queues) + witness.live(connection)
        except psycopg.OperationalError:
            connection, left = None, -1
        empty_since = None if left else empty_since or time.monotonic()
        if empty_since is not None and time.monotonic() - empty_since >= EMPTY_SECONDS:
            break
    if connection is not None:
        connection.close()
    if left == 0:
        history.ok(number, "drained", left=0)
    else:
        history.fail(number, "drained", "gave up", left=left)


def _finish(schedule: Schedule, folder: Path, ground: Ground, survivors: list[int], history: History) -> None:
    """Count what is left and should not be, and write down what the server says."""
    number = history.invoke("leaks")
    if ground.bouncer is not None:
        ground.bouncer.stop()  # it keeps sessions for its clients, of whom there is none
    sessions = sockets = 0
    with ground.connect() as connection:
        deadline = time.monotonic() + SESSIONS_SECONDS
        while time.monotonic() < deadline:
            sessions, sockets = _one(connection, OURS), sum(wire.links for wire in ground.wires.values())
            if not sessions + sockets:
                break
            time.sleep(STEP_SECONDS)
        files = [path.name for path in (folder / "tmp").rglob("*")]
        history.ok(
            number,
            "leaks",
            sessions=sessions,
            prepared=_one(connection, "select count(*) from pg_prepared_xacts"),
            processes=len(survivors),
            sockets=sockets,
            temp_files=len(files),
            what=[f"process {pid}" for pid in survivors] + files[:10],
        )
        evidence.write_witnesses(connection, folder, list(schedule.queues))


def _one(connection: psycopg.Connection[Any], query: str) -> int:
    row = connection.execute(query.encode()).fetchone()
    assert row is not None
    found: int = row[0]
    return found
