"""Send from Python: `client.send_many` beside a jsonb[] parameter, and COPY apart."""

from __future__ import annotations

import json

from benchmarks.clients.sender import WAYS
from benchmarks.plan import Plan, Steps, rounds_of
from benchmarks.processes import run_client
from benchmarks.sample import Sample
from benchmarks.server import Connection, Meter, Server, any_server
from benchmarks.systems import FLOOR, LOG, PGMQ, ROW, install

NAME = "send"
DEFAULT_SYSTEMS = tuple(WAYS)
BATCHES = (100, 1000)
OF_WAY = {"log": LOG, "row": ROW, "pgmq": PGMQ, "floor": FLOOR, "copy": FLOOR}


def run(plan: Plan) -> list[Sample]:
    """Batch size by batch size, round by round, one way to send after the other; each in a process of its own."""
    ways = plan.chosen(tuple(WAYS))
    samples = []
    with any_server(plan.dsn) as server, server.connect() as connection:
        install(server.conninfo, connection, list(dict.fromkeys(OF_WAY[way] for way in ways)))
        with Steps(NAME, plan.rounds * len(ways) * len(BATCHES)) as steps:
            for batch in BATCHES:
                for number, way in rounds_of(plan, ways):
                    steps.step(f"round {number}, batches of {batch}, {way}")
                    samples.append(_measure(server, connection, way, batch, number, plan.seconds))
    return samples


def _measure(
    server: Server, connection: Connection, way: str, batch: int, number: int, seconds: float
) -> Sample:
    system, meter = OF_WAY[way], Meter(connection)
    system.refill(connection, 0)
    cpu = meter.cpu()
    said = json.loads(run_client("sender", way, server.conninfo, batch, seconds))
    messages, arrived = said["messages"], system.depth(connection)
    if arrived != messages + said["warm_up"]:
        raise SystemExit(f"{way}: {arrived} messages arrived, {messages + said['warm_up']} were sent")
    values = {"rate": messages / said["seconds"], "client_cpu_us": said["cpu"] * 1e6 / messages}
    return Sample(NAME, f"batches of {batch}", way, number, values | meter.cpu_us(cpu, arrived))
