"""The workers that are compared: how each is filled, started and asked what is left."""

from __future__ import annotations

import importlib.util
import json
import shutil
from abc import ABC, abstractmethod
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from benchmarks import redis_server
from benchmarks.clients import tally
from benchmarks.processes import ROOT, run_client
from benchmarks.redis_server import Redis
from benchmarks.server import Connection, Server
from benchmarks.systems import LOG, PGMQ, ROW, System

NOOP, ONE_MS = "noop", "1ms"
HANDLERS = {NOOP: "noop", ONE_MS: "1 ms"}
CONCURRENCIES = ("1", "10", "100")
# 203 bytes, as in the other parts, but a task message of ours.
PAYLOAD = (
    '{"task": "orders.charge", "kwargs": {"org": "acme", "order_id": 1234567, "currency": "EUR", '
    '"amount": 4999, "note": "' + "x" * 84 + '"}}'
)
PLAIN_PAYLOAD = PAYLOAD.replace('"task"', '"kind"')
GRAPHILE = Path("benchmarks") / "clients" / "graphile"


@dataclass(frozen=True, slots=True)
class Cell:
    """What the handlers do, and how many may run at once."""

    handler: str
    concurrency: str

    @property
    def case(self) -> str:
        return f"{HANDLERS[self.handler]} handlers, concurrency {self.concurrency}"

    def environment(self) -> dict[str, str]:
        return {tally.WORK: self.handler, tally.CONCURRENCY: self.concurrency}


class Worker(ABC):
    """One worker program on its queue. SIGTERM lets it write what it has handled, and end."""

    name: str

    @abstractmethod
    def fill(self, server: Server, connection: Connection, count: int) -> None:
        """Leave exactly `count` messages ready, and nothing else."""

    @abstractmethod
    def left(self, server: Server, connection: Connection) -> int:
        """How many messages are neither done nor gone."""

    @abstractmethod
    def argv(self, server: Server, cell: Cell) -> list[str]: ...

    def open(self, stack: ExitStack) -> None:  # noqa: B027 - most need nothing
        """Start what it needs beside the database; `stack` ends it."""

    def install(self, server: Server, connection: Connection) -> None:  # noqa: B027 - nor this
        """Make its tables; for one that isn't installed with the systems."""

    def environment(self) -> dict[str, str]:
        return {}

    def beside_seconds(self) -> float:
        """CPU time so far of what it runs beside the database."""
        return 0.0

    def takes(self, cell: Cell) -> bool:  # noqa: ARG002
        """Tell whether the cell means something for it."""
        return True

    def missing(self) -> str:
        """Why it can't run here, with the cure; an empty string when it can."""
        return ""


class OverSystem(Worker):
    """A worker on a queue that `systems` knows."""

    def __init__(self, name: str, system: System) -> None:
        self.name = name
        self.system = system

    def payload(self) -> str:
        return PAYLOAD

    def fill(self, server: Server, connection: Connection, count: int) -> None:  # noqa: ARG002
        self.system.refill(connection, 0)
        self.system.fill(connection, count, self.payload())
        self.system.vacuum(connection)

    def left(self, server: Server, connection: Connection) -> int:  # noqa: ARG002
        return self.system.depth(connection)


class Loop(OverSystem):
    """The bare loop over pgmq. It has no concurrency: that of the cell is how many it reads at once."""

    def argv(self, server: Server, cell: Cell) -> list[str]:  # noqa: ARG002
        return ["benchmarks.clients.pgmq_loop", server.conninfo]


class Consume(OverSystem):
    """`pgqueue consume`, with a supervisor and one worker process as people run it, or `alone`."""

    def __init__(self, name: str, system: System, handler: str, *, alone: bool = False) -> None:
        super().__init__(name, system)
        self._handler = handler
        self._alone = alone

    def payload(self) -> str:
        return PLAIN_PAYLOAD if self._handler == "batch" else PAYLOAD

    def argv(self, server: Server, cell: Cell) -> list[str]:
        options = ["--app", "benchmarks.clients.noop:app", "--dsn", server.conninfo, "--log-level", "warning"]
        options += ["--concurrency", cell.concurrency, "--processes", "0" if self._alone else "1"]
        return ["pgqueue", "consume", self.system.queue, *options]

    def environment(self) -> dict[str, str]:
        found = {"BENCH_HANDLER": self._handler, "BENCH_QUEUE": self.system.queue}
        return found if self._alone else found | {tally.SUPERVISED: "1"}

    def takes(self, cell: Cell) -> bool:
        """A call for many messages that sleeps once would say nothing beside one sleep a message."""
        return self._handler != "batch" or cell.handler == NOOP


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

    def argv(self, server: Server, cell: Cell) -> list[str]:  # noqa: ARG002
        return [f"benchmarks.clients.{self.name}_worker", "work", self._where(server)]

    def missing(self) -> str:
        if importlib.util.find_spec(self.name) is None:
            return f"{self.name} is not installed: pip install '.[bench]'"
        return ""

    def _where(self, server: Server) -> str:
        return server.conninfo

    def _run(self, server: Server, verb: str, *arguments: object) -> str:
        return run_client(f"{self.name}_worker", verb, self._where(server), *arguments)


class CeleryOverRedis(Peer):
    """Celery with a Redis of its own, whose CPU counts as the server's."""

    def __init__(self) -> None:
        super().__init__("celery")
        self._redis: Redis | None = None

    def open(self, stack: ExitStack) -> None:
        self._redis = stack.enter_context(redis_server.redis_server())

    def beside_seconds(self) -> float:
        return self._redis.cpu.seconds() if self._redis else 0.0

    def missing(self) -> str:
        return super().missing() or redis_server.missing()

    def _where(self, server: Server) -> str:
        return self._redis.url if self._redis else server.conninfo


class Graphile(Peer):
    """graphile-worker, a program for Node."""

    def missing(self) -> str:
        if shutil.which("node") is None:
            return "Node is not installed. On Debian and Ubuntu, as root: apt-get install nodejs npm"
        if not graphile_version():
            return f"graphile-worker is not installed: npm install --no-package-lock --prefix {GRAPHILE}"
        return ""


def graphile_version() -> str:
    """The version that is installed beside its program; an empty string when there is none."""
    about = ROOT / GRAPHILE / "node_modules" / "graphile-worker" / "package.json"
    return str(json.loads(about.read_text())["version"]) if about.is_file() else ""


def versions() -> dict[str, str]:
    """Of what isn't a Python package."""
    found = {"graphile-worker": graphile_version(), "redis-server": redis_server.version()}
    return {name: version for name, version in found.items() if version}


def workers() -> list[Worker]:
    return [
        Consume("log_async", LOG, "async"),
        Consume("log_sync", LOG, "sync"),
        Consume("log_batch", LOG, "batch"),
        Consume("log_alone", LOG, "async", alone=True),
        Consume("row_async", ROW, "async"),
        Consume("row_sync", ROW, "sync"),
        Loop("pgmq_loop", PGMQ),
        Peer("pgqueuer"),
        Peer("procrastinate"),
        Peer("chancy"),
        Peer("awa"),
        CeleryOverRedis(),
        Graphile("graphile"),
    ]
