"""Engine: sends, and read with ack, by pgbench, beside pgmq's SQL and a bare table."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass

from benchmarks import pgbench
from benchmarks.background import every
from benchmarks.plan import Plan, Steps, turned
from benchmarks.sample import Sample
from benchmarks.server import Connection, Meter, Server, any_server
from benchmarks.systems import PAYLOAD, SWEEP_SECONDS, SYSTEMS, System, install

NAME = "engine"
SYNC, ASYNC = "sync", "async"
GROUPS = ("send", "send_batch", "read")
DEFAULT_SYSTEMS = ("log", "row", "pgmq", "floor")
PROBE_MESSAGES = 400
LEAST_TRANSACTIONS = 5
# A reader of a log meets gaps and stretch ends: some reads bring less than they asked for.
LEAST_SHARE = 0.9


@dataclass(frozen=True, slots=True)
class Cell:
    """`qty` messages a transaction (for read: a pair of transactions), `clients` at once."""

    group: str
    qty: int
    clients: int
    commit: str
    systems: tuple[str, ...]

    @property
    def name(self) -> str:
        plural = "s" if self.clients > 1 else ""
        return f"{self.group} {self.qty}, {self.clients} client{plural}, {self.commit}"

    @property
    def reads(self) -> bool:
        return self.group == "read"

    @property
    def script(self) -> str:
        if self.reads:
            return "read_ack_one" if self.qty == 1 else "read_ack_many"
        return self.group


def cells(systems: tuple[str, ...], groups: tuple[str, ...], *, full: bool) -> list[Cell]:
    """The short set, or with `full` more clients. Asynchronous cells leave out who is no queue."""
    queues = tuple(name for name in systems if name in {"log", "row", "pgmq"})
    found = [Cell("send", 1, clients, SYNC, systems) for clients in (1, 8)]
    found += [Cell("send_batch", 100, clients, SYNC, systems) for clients in ((1, 4) if full else (1,))]
    for qty in (1, 10, 100):
        for clients in (1, 4, 16) if full else (1, 4):
            found.append(Cell("read", qty, clients, SYNC, systems))
            found.append(Cell("read", qty, clients, ASYNC, queues))
    return [cell for cell in found if cell.group in groups and cell.systems]


def run(plan: Plan) -> list[Sample]:
    """Probe once, then go round and round: in each cell one system after the other."""
    systems = {system.name: system for system in plan.chosen(SYSTEMS)}
    groups = tuple(plan.option("groups", ",".join(GROUPS)).split(","))
    chosen = cells(tuple(systems), groups, full=plan.full)
    samples = []
    with any_server(plan.dsn) as server, server.connect() as connection:
        install(server.conninfo, connection, list(systems.values()))
        bench = Bench(server, connection, plan.seconds)
        with Steps(NAME, (plan.rounds + 1) * sum(len(cell.systems) for cell in chosen)) as steps:
            for number in range(plan.rounds + 1):
                for cell in chosen:
                    for name in turned(cell.systems, number):
                        steps.step(f"{f'round {number}' if number else 'probe'}, {cell.name}, {name}")
                        if number:
                            samples.append(bench.sample(cell, systems[name], number))
                        else:
                            bench.probe(cell, systems[name])
    return samples


class Bench:
    """Runs samples against one server. Each run of a cell and system sizes the next one."""

    def __init__(self, server: Server, connection: Connection, seconds: float) -> None:
        self._server = server
        self._connection = connection
        self._seconds = seconds
        self._rates: dict[tuple[str, str], float] = {}
        self._meter = Meter(connection)

    def probe(self, cell: Cell, system: System) -> None:
        """Warm up and learn about how fast this is."""
        per_client = max(LEAST_TRANSACTIONS, PROBE_MESSAGES // cell.clients // cell.qty)
        self._run(cell, system, 0, per_client)

    def sample(self, cell: Cell, system: System, number: int) -> Sample:
        """Run for about `seconds`, but a fixed number of transactions: what must have moved is known."""
        rate = self._rates[cell.name, system.name]
        per_client = max(LEAST_TRANSACTIONS, round(rate * self._seconds / cell.qty / cell.clients))
        return self._run(cell, system, number, per_client)

    def _run(self, cell: Cell, system: System, number: int, per_client: int) -> Sample:
        asked = per_client * cell.clients * cell.qty
        # Beyond what is read, each client may pass over a batch that another one holds.
        system.refill(self._connection, asked + 2 * cell.clients * cell.qty if cell.reads else 0)
        depth = system.depth(self._connection)
        sweep = [(system.sweep, SWEEP_SECONDS)] if system.sweep and cell.reads else []
        wal, cpu = self._meter.wal(), self._meter.cpu()
        with every(self._server, sweep) if sweep else nullcontext():
            outcome = pgbench.run(self._server, self._load(cell, system, per_client))
        self._meter.wait_until_gone(pgbench.APPLICATION)
        values = self._meter.cpu_us(cpu, asked)
        wal = self._meter.wal() - wal
        moved = abs(system.depth(self._connection) - depth)
        check_moved(f"{cell.name}, {system.name}", moved, asked, exactly=system.full_reads or not cell.reads)
        share = moved / asked
        rate = outcome.tps * cell.qty * share
        self._rates[cell.name, system.name] = rate
        values |= {"rate": rate, "messages": float(moved), "wal_bytes": wal / moved, "filled": share}
        values |= {"server_cpu_us": values["server_cpu_us"] / share} if "server_cpu_us" in values else {}
        return Sample(NAME, cell.name, system.name, number, values)

    @staticmethod
    def _load(cell: Cell, system: System, per_client: int) -> pgbench.Load:
        return pgbench.Load(
            system.statement(cell.script),
            clients=cell.clients,
            transactions=per_client,
            commit=cell.commit,
            schema=system.schema,
            variables={"qty": cell.qty, "payload": PAYLOAD},
        )


def check_moved(what: str, moved: int, asked: int, *, exactly: bool) -> None:
    """End the harness when the rows in the database don't show what the client claims to have done."""
    least = asked if exactly else round(asked * LEAST_SHARE)
    if not least <= moved <= asked:
        raise SystemExit(f"{what}: {moved} messages moved, {asked} were asked for: the sample is void")
