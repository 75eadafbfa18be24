"""WAL: bytes that one message writes through its life, with nothing else at work."""

from __future__ import annotations

import itertools
import time

from benchmarks.parts.depth import Verbs
from benchmarks.plan import Plan, Steps, rounds_of
from benchmarks.sample import Sample
from benchmarks.server import Connection, Meter, any_server, scalar
from benchmarks.systems import FLOOR, LOG, PAYLOAD, PGMQ, ROW, System, install

NAME = "wal"
DEFAULT_SYSTEMS = ("log", "row", "pgmq", "floor")
MESSAGES = {1: 2_000, 100: 20_000}
LEASE = 5
SWEEPS = 20


def run(plan: Plan) -> list[Sample]:
    """One session sends all, then reads and acks all, batch by batch, then sweeps what is left of the claims."""
    systems = plan.chosen((LOG, ROW, PGMQ, FLOOR))
    samples = []
    with any_server(plan.dsn) as server, server.connect() as connection:
        install(server.conninfo, connection, systems)
        connection.prepare_threshold = 0
        with Steps(NAME, plan.rounds * len(systems) * len(MESSAGES)) as steps:
            for batch in MESSAGES:
                for number, system in rounds_of(plan, systems):
                    steps.step(f"round {number}, batches of {batch}, {system.name}")
                    samples.append(_life(connection, system, batch, number))
    return samples


def _life(connection: Connection, system: System, batch: int, number: int) -> Sample:
    messages, meter = MESSAGES[batch], Meter(connection)
    system.clear(connection)
    connection.execute("checkpoint")
    marks = [meter.wal()]
    _send(connection, system, messages, batch)
    if system.depth(connection) != messages:
        raise SystemExit(f"{system.name}: {system.depth(connection)} messages instead of {messages}")
    marks.append(meter.wal())
    _read_and_ack(connection, system, messages, batch)
    marks.append(meter.wal())
    if system.depth(connection) != 0:
        raise SystemExit(f"{system.name}: {system.depth(connection)} messages were left")
    if system.sweep:
        time.sleep(LEASE + 0.2)
        for _ in range(SWEEPS):
            connection.execute(system.sweep.encode())
    marks.append(meter.wal())
    send, ack, sweep = ((after - before) / messages for before, after in itertools.pairwise(marks))
    values = {
        "send_bytes": send,
        "read_ack_bytes": ack,
        "sweep_bytes": sweep,
        "wal_bytes": send + ack + sweep,
    }
    return Sample(NAME, f"batches of {batch}", system.name, number, values)


def _send(connection: Connection, system: System, messages: int, batch: int) -> None:
    if system is FLOOR:
        sql = "insert into bench_floor.messages (message) select unnest(array_fill(%s::jsonb, array[%s::integer]))"
    else:
        sql = Verbs.of(system).send
    for _ in range(messages // batch):
        connection.execute(sql.encode(), [PAYLOAD, batch])


def _read_and_ack(connection: Connection, system: System, messages: int, batch: int) -> None:
    if system is FLOOR:
        pop = (
            "with gone as (delete from bench_floor.messages where msg_id = any (array(select msg_id "
            "from bench_floor.messages order by msg_id limit %s for update skip locked)) returning 1) "
            "select count(*) from gone"
        )
        while scalar(connection, pop, [batch]):
            pass
        return
    verbs, done = Verbs.of(system), 0
    while done < messages:
        found = connection.execute(verbs.read.encode(), [LEASE, batch]).fetchall()
        if not found:
            raise SystemExit(f"{system.name}: nothing to read after {done} of {messages} messages")
        ids, receipts = zip(*found, strict=True)
        connection.execute(verbs.delete.encode(), [list(ids), list(receipts)])
        done += len(found)
