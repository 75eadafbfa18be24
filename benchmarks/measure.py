"""One sample: fill, run pgbench, and check that the messages really moved."""

from __future__ import annotations

import os
import re
import subprocess
import time
from dataclasses import dataclass

from benchmarks.cells import ASYNC, Cell
from benchmarks.cpu import ServerCpu
from benchmarks.server import Server
from benchmarks.systems import Connection, System

# 203 bytes, the size of a small job.
PAYLOAD = (
    '{"task": "orders.charge", "kwargs": {"org": "acme", "order_id": 1234567, "currency": "EUR", '
    '"amount": 4999, "note": "' + "x" * 54 + '"}, "trace": "0af7651916cd43dd"}'
)
TPS = re.compile(r"^tps = ([0-9.]+)", re.MULTILINE)
PROBE_MESSAGES = 400
LEAST_TRANSACTIONS = 5
LEAVE_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Sample:
    """What one system did in one cell in one round. `cpu_us` is none where /proc doesn't show the server."""

    cell: str
    system: str
    round: int
    messages: int
    rate: float
    wal_bytes: float
    cpu_us: float | None


class Bench:
    """Runs samples against one server. Each run of a cell and system sizes the next one."""

    def __init__(self, server: Server, connection: Connection, seconds: float) -> None:
        self._server = server
        self._connection = connection
        self._seconds = seconds
        self._rates: dict[tuple[str, str], float] = {}
        self._cpu = ServerCpu.of_backend(connection.info.backend_pid)

    def probe(self, cell: Cell, system: System) -> None:
        """Warm up and learn about how fast this is."""
        per_client = max(LEAST_TRANSACTIONS, PROBE_MESSAGES // cell.clients // cell.qty)
        self._rates[cell.name, system.name] = self._run(cell, system, 0, per_client).rate

    def sample(self, cell: Cell, system: System, number: int) -> Sample:
        """Run for about `seconds`, but a fixed number of transactions: what must have moved is known."""
        rate = self._rates[cell.name, system.name]
        per_client = max(LEAST_TRANSACTIONS, round(rate * self._seconds / cell.qty / cell.clients))
        found = self._run(cell, system, number, per_client)
        self._rates[cell.name, system.name] = found.rate
        return found

    def _run(self, cell: Cell, system: System, number: int, per_client: int) -> Sample:
        messages = per_client * cell.clients * cell.qty
        # Beyond what is read, each client may pass over a batch that another one holds.
        stock = messages + 2 * cell.clients * cell.qty if cell.reads else 0
        system.refill(self._connection, PAYLOAD, stock)
        depth, lsn, cpu = system.depth(self._connection), self._wal(), self._cpu_seconds()
        output = self._pgbench(cell, system, per_client)
        self._wait_until_alone()
        wal = self._wal() - lsn
        used = self._cpu_seconds() - cpu
        moved = abs(system.depth(self._connection) - depth)
        if moved != messages:
            raise SystemExit(f"{cell.name}, {system.name}: {moved} messages moved instead of {messages}")
        tps = TPS.search(output)
        assert tps is not None
        return Sample(
            cell=cell.name,
            system=system.name,
            round=number,
            messages=messages,
            rate=float(tps.group(1)) * cell.qty,
            wal_bytes=wal / messages,
            cpu_us=used * 1e6 / messages if self._cpu else None,
        )

    def _pgbench(self, cell: Cell, system: System, per_client: int) -> str:
        commit = "off" if cell.commit == ASYNC else "on"
        options = f"-c synchronous_commit={commit} -c search_path={system.schema}"
        argv = [str(self._server.pgbench), "-n", "-M", "prepared", "-j", "1"]
        argv += ["-c", str(cell.clients), "-t", str(per_client), "-f", str(system.script(cell.script))]
        argv += ["-D", f"qty={cell.qty}", "-D", f"payload={PAYLOAD}", self._server.conninfo]
        done = subprocess.run(
            argv, capture_output=True, text=True, check=False, env={**os.environ, "PGOPTIONS": options}
        )
        if done.returncode != 0:
            raise SystemExit(f"pgbench failed for {cell.name}, {system.name}:\n{done.stderr[-2000:]}")
        return done.stdout

    def _wal(self) -> int:
        row = self._connection.execute(
            "select (pg_current_wal_insert_lsn() - '0/0'::pg_lsn)::bigint"
        ).fetchone()
        assert row is not None
        return int(row[0])

    def _cpu_seconds(self) -> float:
        return self._cpu.seconds() if self._cpu else 0.0

    def _wait_until_alone(self) -> None:
        """A backend's CPU time counts fully only after it has ended."""
        deadline = time.monotonic() + LEAVE_SECONDS
        alone = "select not exists (select from pg_stat_activity where application_name = 'pgbench')"
        while self._connection.execute(alone).fetchone() != (True,):
            assert time.monotonic() < deadline, "sessions of pgbench stay open"
            time.sleep(0.005)
