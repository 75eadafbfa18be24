"""Worker: one process with handlers that do nothing, ours beside a bare loop over pgmq and the Python peers."""

from __future__ import annotations

import importlib.util
import tempfile
from abc import ABC, abstractmethod
from pathlib import Path

from benchmarks.clients import tally
from benchmarks.plan import Plan, Steps, rounds_of
from benchmarks.processes import run_client, running, wait_for_report
from benchmarks.sample import Sample
from benchmarks.server import Connection, Meter, Server, any_server
from benchmarks.systems import LOG, PGMQ, ROW, System, install

NAME = "worker"
# 203 bytes, as in the other parts, but a task message of ours.
PAYLOAD = (
    '{"task": "orders.charge", "kwargs": {"org": "acme", "order_id": 1234567, "currency": "EUR", '
    '"amount": 4999, "note": "' + "x" * 84 + '"}}'
)
CONCURRENCY = "100"
PROBE, LEAST = 2_000, 2_000
WAIT_SECONDS = 60.0


class Worker(ABC):
    """One worker program on its queue."""

    name: str

    @abstractmethod
    def install(self, server: Server, connection: Connection) -> None: ...

    @abstractmethod
    def fill(self, server: Server, connection: Connection, count: int) -> None: ...

    @abstractmethod
    def left(self, server: Server, connection: Connection) -> int:
        """How many messages are neither done nor gone."""

    @abstractmethod
    def argv(self, server: Server) -> list[str]: ...

    def environment(self) -> dict[str, str]:
        return {}

    def missing(self) -> str:
        """Why it can't run here, with the cure; an empty string when it can."""
        return ""


class OverSystem(Worker):
    """A worker on a queue that `systems` knows: `pgqueue consume`, or the bare loop over pgmq."""

    def __init__(self, name: str, system: System, handler: str, concurrency: str = CONCURRENCY) -> None:
        self.name = name
        self._system = system
        self._handler = handler
        self._concurrency = concurrency

    def install(self, server: Server, connection: Connection) -> None:
        """Nothing: its system is installed with the others."""

    @property
    def system(self) -> System:
        return self._system

    def fill(self, server: Server, connection: Connection, count: int) -> None:  # noqa: ARG002
        self._system.refill(connection, 0)
        self._system.fill(connection, count, PAYLOAD)
        self._system.vacuum(connection)

    def left(self, server: Server, connection: Connection) -> int:  # noqa: ARG002
        return self._system.depth(connection)

    def argv(self, server: Server) -> list[str]:
        if self._system is PGMQ:
            return ["benchmarks.clients.pgmq_loop", server.conninfo]
        options = ["--app", "benchmarks.clients.noop:app", "--dsn", server.conninfo, "--log-level", "warning"]
        return ["pgqueue", "consume", self._system.queue, "--concurrency", self._concurrency, *options]

    def environment(self) -> dict[str, str]:
        return {"BENCH_HANDLER": self._handler, "BENCH_QUEUE": self._system.queue}


class Peer(Worker):
    """Another library, through a program of ours that uses its published API and its own worker."""

    def __init__(self, name: str) -> None:
        self.name = name

    def install(self, server: Server, connection: Connection) -> None:  # noqa: ARG002
        self._run(server, "install")

    def fill(self, server: Server, connection: Connection, count: int) -> None:
        self._run(server, "fill", count, PAYLOAD)
        connection.execute("checkpoint")
        connection.execute("vacuum (analyze)")

    def left(self, server: Server, connection: Connection) -> int:  # noqa: ARG002
        return int(self._run(server, "left"))

    def argv(self, server: Server) -> list[str]:
        return [f"benchmarks.clients.{self.name}_worker", "work", server.conninfo]

    def missing(self) -> str:
        if importlib.util.find_spec(self.name) is None:
            return f"{self.name} is not installed: pip install '.[bench]'"
        return ""

    def _run(self, server: Server, verb: str, *arguments: object) -> str:
        return run_client(f"{self.name}_worker", verb, server.conninfo, *arguments)


def workers(concurrency: str = CONCURRENCY) -> list[Worker]:
    return [
        OverSystem("log_async", LOG, "async", concurrency),
        OverSystem("log_sync", LOG, "sync", concurrency),
        OverSystem("row_async", ROW, "async", concurrency),
        OverSystem("row_sync", ROW, "sync", concurrency),
        OverSystem("pgmq_loop", PGMQ, "sync"),
        Peer("pgqueuer"),
        Peer("procrastinate"),
    ]


KNOWN = tuple(worker.name for worker in workers())


def run(plan: Plan) -> list[Sample]:
    """Probe each once, then round by round one after the other."""
    samples, rates = [], dict[str, float]()
    with any_server(plan.dsn) as server, server.connect() as connection:
        chosen = plan.chosen(workers(plan.option("concurrency", CONCURRENCY)))
        systems = dict.fromkeys(worker.system for worker in chosen if isinstance(worker, OverSystem))
        install(server.conninfo, connection, list(systems))
        with Steps(NAME, (plan.rounds + 1) * len(chosen)) as steps:
            for worker in list(chosen):
                if reason := worker.missing():
                    steps.say(f"{worker.name} is left out: {reason}")
                    chosen.remove(worker)
                    continue
                steps.step(f"probe, {worker.name}")
                worker.install(server, connection)
                rates[worker.name] = _measure(server, connection, worker, PROBE, 0).values["rate"]
            for number, worker in rounds_of(plan, chosen):
                steps.step(f"round {number}, {worker.name}")
                count = max(LEAST, round(rates[worker.name] * plan.seconds))
                samples.append(_measure(server, connection, worker, count, number))
    return samples


def _measure(server: Server, connection: Connection, worker: Worker, count: int, number: int) -> Sample:
    worker.fill(server, connection, count)
    if worker.left(server, connection) != count:
        raise SystemExit(f"{worker.name}: {worker.left(server, connection)} messages wait instead of {count}")
    meter = Meter(connection)
    cpu = meter.cpu()
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        environment = {tally.EXPECTED: str(count), tally.REPORT: str(report), **worker.environment()}
        with running(worker.argv(server), environment) as process:
            said = wait_for_report(report, process, WAIT_SECONDS)
    server_cpu = meter.cpu_us(cpu, count)
    left = worker.left(server, connection)
    if not said or left != 0 or said["messages"] != count:
        handled = said.get("messages", "too few")
        raise SystemExit(f"{worker.name}: {handled} of {count} messages were handled, {left} are left: void")
    values = {"rate": (count - 1) / said["seconds"], "client_cpu_us": said["cpu"] * 1e6 / count}
    return Sample(NAME, "noop handlers, one process", worker.name, number, values | server_cpu)
