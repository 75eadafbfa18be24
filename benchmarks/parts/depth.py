"""Depth: what one read costs at three depths and behind messages that can't be read, and what a count costs."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from benchmarks.background import every
from benchmarks.plan import Plan, Steps, rounds_of
from benchmarks.ratios import percentile
from benchmarks.sample import Sample
from benchmarks.server import Connection, Server, any_server
from benchmarks.systems import LOG, PAYLOAD, PGMQ, ROW, SWEEP_SECONDS, System, install

NAME = "depth"
DEFAULT_SYSTEMS = ("log", "row", "pgmq")
READS = 60
COUNTS = 20
WARM_UP = 5
QUANTITIES = (1, 10)
BEHIND = 10_000
BASE, FEW = 1000, 10
SEND_BATCH = 1000
HOUR = 3600
DELAYED, BLOCKED, DEEP, DEEPEST = 1_000_000, 200_000, 1_000_000, 3_000_000
SHORT_FACTOR = 10


@dataclass(frozen=True, slots=True)
class Verbs:
    """One system's statements; parameters are positional and typed in the text."""

    read: str
    delete: str
    send: str
    delay: str
    count: str
    claim: int

    @classmethod
    def of(cls, system: System) -> Verbs:
        queue = system.queue
        if system.home == "pgmq":
            return cls(
                read=f"select msg_id, null from pgmq.read('{queue}', %s::integer, %s::integer)",
                delete=f"select count(*) from pgmq.delete('{queue}', %s::bigint[]), (select %s::bigint[]) unused",
                send=f"select count(*) from pgmq.send_batch('{queue}', array_fill(%s::jsonb, array[%s::integer]))",
                delay=f"select count(*) from pgmq.send_batch('{queue}', array_fill(%s::jsonb, array[%s::integer]), 3600)",
                count=f"select * from pgmq.metrics('{queue}')",
                claim=1_000_000,
            )
        return cls(
            read=f"select msg_id, receipt from pgqueue.read__{queue}(make_interval(secs => %s), %s::integer)",
            delete=f"select count(*) from pgqueue.delete_batch__{queue}(%s::bigint[], %s::bigint[])",
            send=f"select count(*) from pgqueue.send_batch__{queue}(array_fill(%s::jsonb, array[%s::integer]))",
            delay=f"select count(*) from pgqueue.send_batch__{queue}(array_fill(%s::jsonb, array[%s::integer]), null, '1 hour')",
            count=f"select * from pgqueue.queues where queue = '{queue}'",
            claim=1000,
        )


@dataclass(frozen=True, slots=True)
class Shape:
    """A state of a queue, and what makes it. `counted`: looking at its depth is timed too."""

    name: str
    make: Callable[[Subject], None]
    counted: bool = False


class Subject:
    """One system's queue, being shaped and read through one session that commits asynchronously."""

    def __init__(self, connection: Connection, system: System) -> None:
        self.system = system
        self.verbs = Verbs.of(system)
        self._connection = connection

    def send(self, count: int, *, delayed: bool = False) -> None:
        sql = self.verbs.delay if delayed else self.verbs.send
        for left in range(count, 0, -SEND_BATCH):
            self._connection.execute(sql.encode(), [PAYLOAD, min(left, SEND_BATCH)])

    def claim(self, count: int, seconds: float) -> float:
        """Lease exactly `count` for so long; return how long that took."""
        begin, got = time.monotonic(), 0
        while got < count:
            found = self.read(min(count - got, self.verbs.claim), seconds)
            if not found:
                raise SystemExit(f"{self.system.name}: only {got} of {count} messages could be claimed")
            got += len(found)
        return time.monotonic() - begin

    def read(self, quantity: int, seconds: float = HOUR) -> list[tuple[int, int]]:
        return self._connection.execute(self.verbs.read.encode(), [round(seconds), quantity]).fetchall()

    def read_ms(self, quantity: int) -> float:
        """Time one read. Then ack what it got and send as many again: the state stays alike."""
        begin = time.perf_counter()
        found = self.read(quantity)
        took = time.perf_counter() - begin
        # A reader of a log may get less at the end of a stretch, never nothing.
        if not found or (self.system.full_reads and len(found) != quantity):
            raise SystemExit(f"{self.system.name}: a read of {quantity} brought {len(found)}")
        ids, receipts = zip(*found, strict=True)
        self._connection.execute(self.verbs.delete.encode(), [list(ids), list(receipts)])
        self._connection.execute(self.verbs.send.encode(), [PAYLOAD, len(found)])
        return took * 1000

    def count_ms(self) -> float:
        begin = time.perf_counter()
        self._connection.execute(self.verbs.count.encode()).fetchall()
        return (time.perf_counter() - begin) * 1000

    def reset(self) -> None:
        self.system.clear(self._connection)

    def settle(self) -> None:
        self.system.vacuum(self._connection)
        self._connection.execute("checkpoint")


def shapes(*, full: bool) -> list[Shape]:
    """The states, a tenth of the size in the short run. The first two show how equal equal states look."""
    unit = 1 if full else SHORT_FACTOR
    deep, deepest, blocked, delayed = (n // unit for n in (DEEP, DEEPEST, BLOCKED, DELAYED))

    def in_flight(subject: Subject) -> None:
        subject.send(blocked)
        subject.claim(blocked, HOUR)
        subject.send(BEHIND)

    def behind_delayed(subject: Subject) -> None:
        subject.send(delayed, delayed=True)
        subject.send(BEHIND)

    def expired(subject: Subject) -> None:
        # The leases must outlast the claiming, or claimed messages would be claimed again.
        subject.send(blocked)
        took = subject.claim(blocked, HOUR)
        subject.reset()
        subject.send(blocked)
        lease = max(2.0, 3 * took + 1)
        took = subject.claim(blocked, lease)
        subject.send(BEHIND)
        time.sleep(lease + 1)

    return [
        Shape("1k ready", lambda subject: subject.send(BASE), counted=True),
        Shape(f"{_short(deep)} ready", lambda subject: subject.send(deep), counted=True),
        Shape(f"{_short(deepest)} ready", lambda subject: subject.send(deepest), counted=True),
        Shape(f"{_short(blocked)} in flight in front", in_flight),
        Shape(f"{_short(delayed)} delayed in front", behind_delayed),
        Shape(f"{_short(blocked)} expired in front", expired),
    ]


def run(plan: Plan) -> list[Sample]:
    """Shape by shape, and in each shape one system after the other."""
    systems = plan.chosen((LOG, ROW, PGMQ))
    swept = plan.option("sweep", "yes") == "yes"
    found = shapes(full=plan.full)
    wanted = plan.option("shapes", "")
    chosen = [shape for shape in found if not wanted or shape.name in wanted.split(",")]
    if not chosen:
        raise SystemExit(f"no such shape; there are: {', '.join(shape.name for shape in found)}")
    samples = []
    with any_server(plan.dsn) as server, server.connect() as connection:
        twins = {system.name: system.twin("base") for system in systems}
        install(server.conninfo, connection, [*systems, *twins.values()])
        connection.prepare_threshold = 0
        connection.execute("set synchronous_commit = off")
        with Steps(NAME, plan.rounds * len(chosen) * len(systems)) as steps:
            for shape in chosen:
                for number, system in rounds_of(plan, systems):
                    steps.step(f"round {number}, {shape.name}, {system.name}")
                    subject, base = Subject(connection, system), Subject(connection, twins[system.name])
                    samples += _measure(server, subject, base, shape, number, swept=swept)
                    subject.reset()
    return samples


def _measure(
    server: Server, subject: Subject, base: Subject, shape: Shape, number: int, *, swept: bool
) -> list[Sample]:
    """Time reads of the shaped queue and of one with 1k ready messages in turn, so that both see the same machine."""
    system = subject.system
    base.reset()
    base.send(BASE)
    subject.reset()
    shape.make(subject)
    base.settle()
    subject.settle()
    sweeps = [(each.sweep, SWEEP_SECONDS) for each in (system, base.system) if each.sweep and swept]
    samples = []
    with every(server, sweeps):
        for quantity in QUANTITIES:
            times = _in_turn(lambda each, qty=quantity: each.read_ms(qty), subject, base, READS)  # type: ignore[misc]
            samples.append(_sample(f"read {quantity}, {shape.name}", system.name, number, *times))
        if shape.counted:
            base.reset()
            base.send(FEW)
            times = _in_turn(Subject.count_ms, subject, base, COUNTS)
            samples.append(_sample(f"count, {shape.name}", system.name, number, *times))
    return samples


def _in_turn(
    timed: Callable[[Subject], float], subject: Subject, base: Subject, times: int
) -> tuple[list[float], list[float]]:
    """Time both, one after the other, so often; a few rounds before that don't count."""
    pairs = [(timed(subject), timed(base)) for _ in range(times + WARM_UP)][WARM_UP:]
    return [a for a, _ in pairs], [b for _, b in pairs]


def _sample(case: str, system: str, number: int, times: list[float], base: list[float]) -> Sample:
    values = {
        "p50_ms": percentile(times, 50),
        "p95_ms": percentile(times, 95),
        "base_p50_ms": percentile(base, 50),
    }
    values["times_base"] = values["p50_ms"] / values["base_p50_ms"]
    return Sample(NAME, case, system, number, values, {"ms": times, "base_ms": base})


def _short(count: int) -> str:
    return f"{count // 1_000_000}M" if count >= 1_000_000 else f"{count // 1000}k"
