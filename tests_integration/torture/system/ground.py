"""What a run stands on: a server of its own with fsync, a pooler, three wires, and the test's own schema."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
from psycopg.conninfo import make_conninfo
from psycopg.types.json import Jsonb

from pgqueue.db.embedded import Cluster, scratch_directory
from tests_integration.fixtures.bouncer import Bouncer, _free_port
from tests_integration.fixtures.cluster import install_schema, tcp_conninfo
from tests_integration.torture.system import audit, controls, timetable, witness
from tests_integration.torture.system.schedule import Schedule
from tests_integration.torture.system.wire import Wire

DATABASE = "postgres"
OPTIONS = {
    "shared_buffers": "64MB",
    "deadlock_timeout": "100ms",
    "log_lock_waits": "on",
    "autovacuum_naptime": "1s",
    "max_connections": "100",
}
POOL = 6
WIRES = ("producers", "consumers", "listeners")
CLOCK = """
create sequence torture.clock_offset as bigint minvalue -86400000000 start with 1;
select setval('torture.clock_offset', 0);
"""
SHIPPED_READING = "clock_timestamp()"
STEPPED_READING = (
    "clock_timestamp() + (select c.last_value from torture.clock_offset c) * interval '1 microsecond'"
)


@dataclass
class Ground:
    """The servers of a run. `dsn` leads past every wire and the pooler, for those who watch."""

    cluster: Cluster
    dsn: str
    bouncer: Bouncer | None
    wires: dict[str, Wire] = field(default_factory=dict)

    def connect(self, **settings: str | int) -> psycopg.Connection:
        """Open a connection of an onlooker; it waits two seconds at most, also for each answer of TCP."""
        dsn = make_conninfo(self.dsn, connect_timeout=2, application_name="torture", **settings)
        return psycopg.connect(dsn, autocommit=True)

    def through(self, wire: str) -> str:
        """Return the DSN of those who go through that wire."""
        return make_conninfo(self.dsn, port=self.wires[wire].port, connect_timeout=5, sslmode="disable")

    def keep_logs(self, folder: Path) -> None:
        with contextlib.suppress(OSError):
            (folder / "server.log").write_bytes(self.cluster.home.log.read_bytes())
        if self.bouncer is not None:
            (folder / "pgbouncer.log").write_text(self.bouncer.log())


@contextlib.contextmanager
def prepared_ground(schedule: Schedule, folder: Path, override: str = "") -> Iterator[Ground]:
    """Start everything, install the schema and the queues; stop and remove it all at the end, however it ended."""
    with contextlib.ExitStack() as stack:
        directory = scratch_directory("pgq-torture-")
        stack.callback(shutil.rmtree, directory, ignore_errors=True)
        # A port that no outgoing connection gets: else one of those could take it while the server is down.
        options = OPTIONS | controls.options(schedule.control) | {"port": str(_free_port())}
        cluster = Cluster(directory / "pg", options=options, listen=True)
        stack.callback(cluster.stop, "immediate")
        cluster.start()
        dsn = tcp_conninfo(cluster, DATABASE)
        _install(dsn, schedule, override)
        bouncer = None
        if schedule.pooled:
            bouncer = Bouncer(dsn, default_pool_size=POOL)
            stack.callback(bouncer.close)
            bouncer.start()
        ground = Ground(cluster, dsn, bouncer)
        stack.callback(ground.keep_logs, folder)
        for name in WIRES:
            behind = bouncer.port if bouncer is not None and name != "listeners" else cluster.port
            ground.wires[name] = Wire(behind)
            stack.callback(ground.wires[name].close)
        yield ground


def _install(dsn: str, schedule: Schedule, override: str) -> None:
    install_schema(dsn)
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(audit.TABLES)
        for queue, made in schedule.queues.items():
            connection.execute(
                "select pgqueue.create_queue(%s, %s, %s)", [queue, made["kind"], Jsonb(made["settings"])]
            )
        if any(fault.kind == "clock" for fault in schedule.faults):
            _make_clock_steppable(connection)
        for queue in schedule.queues if override else ():
            connection.execute(override.replace("{queue}", queue).encode())
        controls.plant(connection, schedule.control, list(schedule.queues))
        audit.install(connection, list(schedule.queues))
        queues = list(schedule.queues)
        witness.install(connection, queues)
        if schedule.slots:
            timetable.install(connection, queues, witness.tables_of(connection, queues))


def _make_clock_steppable(connection: psycopg.Connection) -> None:
    connection.execute(CLOCK.encode())
    row = connection.execute("select pg_get_functiondef('pgqueue.clock()'::regprocedure)").fetchone()
    assert row is not None
    if f"return {SHIPPED_READING}" not in row[0]:
        raise AssertionError(f"the shipped pgqueue.clock() does not return {SHIPPED_READING}:\n{row[0]}")
    connection.execute(row[0].replace(f"return {SHIPPED_READING}", f"return {STEPPED_READING}").encode())


def versions(ground: Ground) -> dict[str, str]:
    """Say what the run was made with, for the line that repeats it."""
    with ground.connect() as connection:
        row = connection.execute("show server_version").fetchone()
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"],
        cwd=Path(__file__).parent,
        capture_output=True,
        text=True,
        check=False,
    ).stdout.strip()
    return {
        "postgres": row[0] if row else "?",
        "pgbouncer": ground.bouncer.version if ground.bouncer else "-",
        "psycopg": psycopg.__version__,
        "commit": commit or "?",
    }
