"""One trial: a worker handles a number of messages, and what it says is held against its queue."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

from benchmarks.clients import tally
from benchmarks.parts.contenders import Cell, Worker
from benchmarks.processes import running, wait_for_file, wait_for_report
from benchmarks.server import Connection, Meter, Server

# Looks on while a worker works; takes its process id and the path of its report.
Watch = Callable[[int, Path], AbstractContextManager[object]]


def unwatched(pid: int, report: Path) -> AbstractContextManager[object]:  # noqa: ARG001
    return nullcontext()


class _Costs:
    """CPU of the database, and of what the worker runs beside it, from the first message on.

    What a worker does to its database before, at its start, would weigh on those that get few messages.
    """

    def __init__(self, meter: Meter, worker: Worker) -> None:
        self._meter = meter
        self._worker = worker
        self.begin()

    def begin(self) -> None:
        self._database, self._beside = self._meter.cpu(), self._worker.beside_seconds()

    def microseconds(self, count: int) -> dict[str, float]:
        """So far, a message, as values of a sample; nothing where /proc doesn't show the server."""
        beside = (self._worker.beside_seconds() - self._beside) * 1e6 / count
        return {name: us + beside for name, us in self._meter.cpu_us(self._database, count).items()}


class Trial:
    """Measures workers in one cell. A worker gets at most `patience` seconds."""

    def __init__(
        self,
        server: Server,
        connection: Connection,
        cell: Cell,
        *,
        patience: float = 60.0,
        watch: Watch = unwatched,
    ) -> None:
        self.cell = cell
        self._server = server
        self._connection = connection
        self._patience = patience
        self._watch = watch

    def measure(self, worker: Worker, count: int) -> dict[str, float]:
        """Let it handle `count` messages. Ends the harness when it handled more or fewer, or left any."""
        server, connection = self._server, self._connection
        worker.fill(server, connection, count)
        if (ready := worker.left(server, connection)) != count:
            raise SystemExit(f"{worker.name}: {ready} messages wait instead of {count}")
        costs = _Costs(Meter(connection), worker)
        said = self._handle(worker, count, costs)
        server_cpu = costs.microseconds(count)
        left = worker.left(server, connection)
        if not said or left != 0 or said["messages"] != count:
            handled = said.get("messages", "too few")
            raise SystemExit(
                f"{worker.name}: {handled} of {count} messages were handled, {left} are left: void"
            )
        timed = max(1, said["timed"])
        values = {"rate": timed / max(said["seconds"], 1e-6), "client_cpu_us": said["cpu"] * 1e6 / timed}
        return values | server_cpu

    def _handle(self, worker: Worker, count: int, costs: _Costs) -> dict[str, Any]:
        with tempfile.TemporaryDirectory() as folder:
            report = Path(folder) / "report.json"
            environment = {tally.EXPECTED: str(count), tally.REPORT: str(report)}
            environment |= self.cell.environment() | worker.environment()
            with running(worker.argv(self._server, self.cell), environment) as process:
                with self._watch(process.pid, report):
                    wait_for_file(tally.begun(report), process, self._patience)
                    costs.begin()
                    said = wait_for_report(report, process, self._patience)
            if report.is_file():
                # What came twice may have come after the expected number was reached.
                said["messages"] = json.loads(report.read_text())["messages"]
        return said
