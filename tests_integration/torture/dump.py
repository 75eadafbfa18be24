"""A pg_dump under load, and what comes out when it is restored into another cluster and drained there."""

from __future__ import annotations

import random
import subprocess
import time
from pathlib import Path

import psycopg

from pgqueue.db.embedded import Cluster
from tests_integration.fixtures.cluster import install_schema
from tests_integration.torture.engine import Engine
from tests_integration.torture.history import Recorder
from tests_integration.torture.server import QUEUE, final_state, scratch_cluster, waiting
from tests_integration.torture.session import Session

DATABASE = "restored"
DUMP_SECONDS = 60
NEW_MESSAGES = 20


class Dump:
    """One pg_dump of a snapshot whose instant is known to lie between two lines of the history."""

    def __init__(
        self, file: Path, process: subprocess.Popen[bytes], holder: psycopg.Connection, number: int
    ) -> None:
        self.file = file
        self._process = process
        self._holder = holder
        self._number = number
        self._done = False
        self.ok = False

    @classmethod
    def take(cls, folder: Path, cluster: Cluster, conninfo: str, recorder: Recorder) -> Dump:
        """Export a snapshot and start pg_dump on it; returns at once."""
        file = folder / "dump.custom"
        holder = psycopg.connect(conninfo, autocommit=True)
        holder.execute("begin isolation level repeatable read")
        number = recorder.invoke("snapshot_taken", file=file.name)
        row = holder.execute("select pg_export_snapshot()").fetchone()
        recorder.end(number, "ok", "snapshot_taken")
        assert row is not None
        number = recorder.invoke("fault", fault="dump", victim="")
        argv: list[str | Path] = [
            cluster.bin_dir / "pg_dump",
            "-d",
            conninfo,
            "-Fc",
            "-f",
            file,
            f"--snapshot={row[0]}",
        ]
        with (folder / "stderr-dump.log").open("ab") as log:
            return cls(file, subprocess.Popen(argv, stdin=subprocess.DEVNULL, stderr=log), holder, number)

    def look(self, recorder: Recorder) -> None:
        """Note its end, if that has come."""
        if not self._done and self._process.poll() is not None:
            self._done = True
            self.ok = self._process.returncode == 0
            self._holder.close()
            recorder.end(self._number, "ok" if self.ok else "fail", "fault")

    def wait(self, recorder: Recorder) -> None:
        self._process.wait(DUMP_SECONDS)
        self.look(recorder)


def drain_restored(dump: Path, folder: Path, vt: float) -> None:
    """Restore into a fresh cluster, drain there, send and drain again; the history goes to `folder`.

    Only verbs are called, and no maintenance: what the dump holds has to come out by reading.
    """
    folder.mkdir()
    recorder = Recorder(folder, "drain")
    with scratch_cluster() as cluster:
        install_schema(cluster.conninfo())  # its roles, which no dump of a database has
        cluster.create_database(DATABASE)
        conninfo = cluster.conninfo(DATABASE)
        argv: list[str | Path] = [cluster.bin_dir / "pg_restore", "--exit-on-error", "-d", conninfo, dump]
        with (folder / "stderr-restore.log").open("ab") as log:
            subprocess.run(argv, stdin=subprocess.DEVNULL, stderr=log, check=True)
        install_schema(conninfo)  # as after every restore: it lifts sequences
        session = Session(conninfo, recorder, random.Random(0))
        engine = Engine(session, QUEUE, by_name=False)
        _drain(engine, session, seconds=5 * vt + 20)
        for number in range(NEW_MESSAGES):
            engine.send({"uid": f"restored-{number}"})
        _drain(engine, session, seconds=5 * vt + 20)
        recorder.end(recorder.invoke("final"), "ok", "final", **final_state(session.connection))
        session.close()
    recorder.close()


def _drain(engine: Engine, session: Session, seconds: float) -> None:
    """Read and acknowledge until nothing is left, or the time is over: then the checker says what is missing."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        got = engine.read(50, None)
        if got:
            engine.settle_batch("delete", got)
        elif waiting(session.connection) == 0:
            return
        else:
            time.sleep(0.05)
