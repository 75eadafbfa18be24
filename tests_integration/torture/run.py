"""One run from schedule to folder: start, load, faults, drain, final state. Judging is the checker's."""

from __future__ import annotations

import json
import subprocess
import time
from pathlib import Path

import psycopg

from pgqueue.db.embedded import Cluster
from tests_integration.torture import server
from tests_integration.torture.crew import Crew
from tests_integration.torture.dump import drain_restored
from tests_integration.torture.history import Recorder
from tests_integration.torture.nemesis import Nemesis
from tests_integration.torture.schedule import Schedule
from tests_integration.torture.session import Interrupted
from tests_integration.torture.surroundings import DRAIN

STEP_SECONDS = 0.02
SETTLE_SECONDS = 20.0


def run(schedule: Schedule, folder: Path, *, writer_pause: float = 0.02, override: str = "") -> None:
    """Fill `folder` with the history of this schedule. Raises when the run itself breaks down.

    `override` is SQL that replaces a function of the engine: a planted mutant, which the checker has to find.
    """
    folder.mkdir(parents=True)
    schedule.write(folder)
    with server.scratch_cluster() as cluster:
        try:
            conninfo = cluster.conninfo()
            server.prepare(conninfo, schedule, override)
            _configure(folder, schedule, conninfo, writer_pause)
            dumps = _load(folder, schedule, cluster, conninfo)
        finally:
            (folder / "server.log").write_bytes(cluster.home.log.read_bytes())
    for number, dump in enumerate(dumps):
        try:
            drain_restored(dump, folder / f"restored-{number}", schedule.vt)
        except (subprocess.CalledProcessError, psycopg.Error, Interrupted) as error:
            # Without its last line the history is judged as a restore that failed.
            (folder / f"restored-{number}" / "error.txt").write_text(repr(error))


def _configure(folder: Path, schedule: Schedule, conninfo: str, writer_pause: float) -> None:
    config = {
        "conninfo": conninfo,
        "queue": server.QUEUE,
        "vt": schedule.vt,
        "seconds": schedule.seconds,
        "began": time.monotonic(),
        "writer_pause": writer_pause,
        # The database's clock is this machine's: what turns one into the other, in microseconds.
        "clock_offset": (time.clock_gettime_ns(time.CLOCK_REALTIME) - time.monotonic_ns()) // 1000,
    }
    (folder / "config.json").write_text(json.dumps(config, indent=1) + "\n")


def _load(folder: Path, schedule: Schedule, cluster: Cluster, conninfo: str) -> list[Path]:
    """Run the load under the faults, then drain. Returns the dumps that were taken."""
    crew = Crew(folder, schedule, without="" if server.has_maintain(conninfo) else "maintainer")
    nemesis = Nemesis(folder, cluster, conninfo, crew, schedule)
    recorder = Recorder(folder, "parent")
    try:
        crew.start()
        began = time.monotonic()
        while (elapsed := time.monotonic() - began) < schedule.seconds:
            nemesis.play(elapsed)
            crew.supervise()
            time.sleep(STEP_SECONDS)
        nemesis.heal()
        crew.stop("writer", "canceller")
        (folder / DRAIN).touch()
        drained = _drain(crew, conninfo, recorder, 5 * schedule.vt + 30)
        crew.stop("reader", "maintainer")
        _finish(conninfo, recorder, schedule, crew, drained=drained)
    finally:
        crew.kill_all()
        recorder.close()
    return [dump.file for dump in nemesis.dumps if dump.ok]


def _drain(crew: Crew, conninfo: str, recorder: Recorder, seconds: float) -> bool:
    """Wait until the readers have emptied the queue; false when that takes too long."""
    number = recorder.invoke("drain")
    deadline = time.monotonic() + seconds
    with psycopg.connect(conninfo, autocommit=True) as connection:
        while (left := server.waiting(connection)) and time.monotonic() < deadline:
            crew.supervise()
            time.sleep(STEP_SECONDS)
    recorder.end(number, "fail" if left else "ok", "drain", left=left)
    return not left


def _finish(conninfo: str, recorder: Recorder, schedule: Schedule, crew: Crew, *, drained: bool) -> None:
    """Let the engine clear its side tables by further reads, then note what is there."""
    deadline = time.monotonic() + SETTLE_SECONDS if drained else 0
    with psycopg.connect(conninfo, autocommit=True) as connection:
        while any(server.table_sizes(connection).values()) and time.monotonic() < deadline:
            if connection.execute("select from pgqueue.read(%s)", [server.QUEUE]).rowcount:
                crew.failures.append("a read returned what the view of messages does not have")
            time.sleep(STEP_SECONDS)
        state = server.final_state(connection)
    recorder.end(recorder.invoke("final"), "ok", "final", **state, failures=crew.failures)
