"""Who is put under the steady load of the part `hold`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from contextlib import AbstractContextManager
from typing import Self

from benchmarks import pgbench, pgq
from benchmarks.background import every
from benchmarks.server import Meter, Server
from benchmarks.systems import PAYLOAD, SWEEP_SECONDS, System, install

DEPTH = 1000
CLIENTS = 4
BATCH = 10
PRODUCERS = 2


class Subject(ABC):
    """One system on one server, with `DEPTH` messages in it."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self._connection = server.connect()
        self._meter = Meter(self._connection)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def window(self, seconds: float, commit: str) -> dict[str, float]:
        """Run the load for so long. Rates count messages that went all the way, as the database shows it."""
        before, cpu, wal = self._done(), self._meter.cpu(), self._meter.wal()
        with self.beside():
            outcomes = pgbench.run_together(self.server, self._loads(seconds, commit))
        self._meter.wait_until_gone(pgbench.APPLICATION)
        sent = outcomes[0].transactions * BATCH
        messages = self._moved(sent, before)
        if messages <= 0:
            raise SystemExit(f"{sent} messages were sent and none went all the way: the window is void")
        found = {"rate": messages / outcomes[0].seconds, "behind": float(sent - messages)}
        found |= {"wal_bytes": (self._meter.wal() - wal) / messages}
        return found | self._meter.cpu_us(cpu, messages)

    @abstractmethod
    def beside(self) -> AbstractContextManager[None]:
        """What has to run beside its clients."""

    @abstractmethod
    def sizes(self) -> tuple[int, int]: ...

    @abstractmethod
    def vacuum(self) -> None: ...

    @abstractmethod
    def _loads(self, seconds: float, commit: str) -> list[pgbench.Load]: ...

    @abstractmethod
    def _done(self) -> int: ...

    @abstractmethod
    def _moved(self, sent: int, before: int) -> int: ...


class QueueSubject(Subject):
    """A queue of ours, or pgmq's: each client sends 10, reads 10 and acks them."""

    def __init__(self, server: Server, system: System) -> None:
        super().__init__(server)
        self._system = system
        install(server.conninfo, self._connection, [system])
        system.fill(self._connection, DEPTH)

    def beside(self) -> AbstractContextManager[None]:
        sweep = self._system.sweep
        return every(self.server, [(sweep, SWEEP_SECONDS)] if sweep else [])

    def sizes(self) -> tuple[int, int]:
        return self._system.sizes(self._connection)

    def vacuum(self) -> None:
        self._system.vacuum(self._connection)

    def _loads(self, seconds: float, commit: str) -> list[pgbench.Load]:
        variables = {"qty": BATCH, "payload": PAYLOAD, "commit": "off" if commit == "async" else "on"}
        script = self._system.statement("mixed")
        return [pgbench.Load(script, clients=CLIENTS, seconds=seconds, variables=variables)]

    def _done(self) -> int:
        return self._system.depth(self._connection)

    def _moved(self, sent: int, before: int) -> int:
        """What was sent and isn't there any more."""
        return sent - (self._done() - before)


class PgqSubject(Subject):
    """PgQ: two producers, one consumer, a ticker and the rotation of its tables."""

    def __init__(self, server: Server) -> None:
        super().__init__(server)
        pgq.install(self._connection)

    def beside(self) -> AbstractContextManager[None]:
        return every(self.server, pgq.BESIDE)

    def sizes(self) -> tuple[int, int]:
        return pgq.sizes(self._connection)

    def vacuum(self) -> None:
        self._connection.execute("vacuum (analyze)")

    def _loads(self, seconds: float, commit: str) -> list[pgbench.Load]:
        variables = {"qty": BATCH, "payload": PAYLOAD, "commit": "off" if commit == "async" else "on"}
        folder = pgq.SQL
        produce, consume = ((folder / name).read_text() for name in ("produce.sql", "consume.sql"))
        schema = "pg_catalog"
        return [
            pgbench.Load(produce, PRODUCERS, seconds=seconds, schema=schema, variables=variables),
            pgbench.Load(consume, 1, seconds=seconds, schema=schema, variables=variables),
        ]

    def _done(self) -> int:
        return pgq.consumed(self._connection)

    def _moved(self, sent: int, before: int) -> int:  # noqa: ARG002 - the consumer counts
        return self._done() - before
