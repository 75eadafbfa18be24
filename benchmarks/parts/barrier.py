"""Barrier: what it costs that messages are its parts, and results of 1 MB each."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import time
from contextlib import ExitStack, nullcontext

from psycopg.types.json import Jsonb

from benchmarks.background import every
from benchmarks.clients.fan import BARRIER, WAYS
from benchmarks.plan import Plan, Steps, rounds_of, turned
from benchmarks.processes import ROOT
from benchmarks.sample import Sample
from benchmarks.server import Connection, Meter, Server, any_server, scalar
from benchmarks.systems import LOG, PAYLOAD, ROW, SWEEP_SECONDS, System, install
from pgqueue import PgQueue, barrier
from pgqueue.barrier import settle
from pgqueue.barrier.rules import part_of, result_text

NAME = "barrier"
DEFAULT_SYSTEMS = ("log", "row")
PARTS, SHORT_PARTS = 100_000, 5_000
CLIENTS, BATCH = 4, 100
LARGE_PARTS, LARGE_BYTES, LARGE_BATCH = 100, 1_000_000, 10
TOTAL = "bench_total"
KEY = "bench"
ARM = """
select pgqueue.barrier_arm(%s, (select jsonb_agg(jsonb_build_object('queue', %s::text, 'message', %s::jsonb))
                                from generate_series(1, %s)), %s)"""


def case_of(parts: int) -> str:
    return f"{parts:,} parts, {CLIENTS} clients, batches of {BATCH}"


def run(plan: Plan) -> list[Sample]:
    """Round by round and kind by kind: the same messages as parts and as plain ones; then the large results."""
    systems = plan.chosen((LOG, ROW))
    parts = int(plan.option("parts", str(PARTS if plan.full else SHORT_PARTS)))
    samples = []
    with any_server(plan.dsn) as server, server.connect() as connection:
        install(server.conninfo, connection, systems)
        connection.execute("select pgqueue.create_queue(%s)", [TOTAL])
        with Steps(NAME, plan.rounds * len(systems) * (len(WAYS) + 1)) as steps:
            for number, system in rounds_of(plan, systems):
                for way in turned(WAYS, number):
                    steps.step(f"round {number}, {parts} parts, {system.name} {way}")
                    samples.append(_fan(server, connection, system, way, parts, number))
                steps.step(f"round {number}, {LARGE_PARTS} large results, {system.name}")
                samples.append(_large(server, connection, system, number))
    return samples


def _fan(server: Server, connection: Connection, system: System, way: str, parts: int, number: int) -> Sample:
    _clear(connection, system)
    begin = time.monotonic()
    generation = _arm(connection, system, parts) if way == BARRIER else None
    if generation is None:
        system.fill(connection, parts)
    sent = time.monotonic() - begin
    system.vacuum(connection)
    connection.execute("vacuum (analyze) pgqueue.barrier_part")
    meter = Meter(connection)
    wal, cpu = meter.wal(), meter.cpu()
    with every(server, [(system.sweep, SWEEP_SECONDS)]) if system.sweep else nullcontext():
        said = _loops(server, way, system.queue)
    handled = int(sum(one["messages"] for one in said))
    left = system.depth(connection)
    if handled != parts or left:
        raise SystemExit(
            f"{system.name} {way}: {handled} of {parts} messages were acked, {left} are left: void"
        )
    if generation is not None:
        _check_done(connection, generation, parts)
    seconds = max(one["end"] for one in said) - min(one["begin"] for one in said)
    values = {
        "rate": parts / seconds,
        "send_rate": parts / sent,
        "wal_bytes": (meter.wal() - wal) / parts,
        "client_cpu_us": sum(one["cpu"] for one in said) * 1e6 / parts,
    }
    return Sample(NAME, case_of(parts), f"{system.name} {way}", number, values | meter.cpu_us(cpu, parts))


def _clear(connection: Connection, system: System) -> None:
    """Leave nothing of the sample before; the checkpoint spares this one full-page images."""
    connection.execute("truncate pgqueue.barrier, pgqueue.barrier_part")
    connection.execute("select pgqueue.purge_queue(%s)", [TOTAL])
    system.refill(connection, 0)


def _arm(connection: Connection, system: System, parts: int) -> int:
    callback = Jsonb({"queue": TOTAL, "message": {"task": "sum"}})
    return int(scalar(connection, ARM, [KEY, system.queue, PAYLOAD, parts, callback]))


def _loops(server: Server, way: str, queue: str) -> list[dict[str, float]]:
    """Run the clients from one signal on, each to the end of the queue; return what they say."""
    argv = [sys.executable, "-m", "benchmarks.clients.fan", way, server.conninfo, queue, str(BATCH)]
    with ExitStack() as stack:
        clients = [
            stack.enter_context(
                subprocess.Popen(argv, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            )
            for _ in range(CLIENTS)
        ]
        stack.callback(lambda: [client.kill() for client in clients])
        for client in clients:
            if client.stdout is None or client.stdout.readline().strip() != "ready":
                raise SystemExit(f"a client of {queue} did not start")
        for client in clients:
            assert client.stdin is not None
            client.stdin.write("go\n")
            client.stdin.flush()
        outputs = [client.communicate()[0] for client in clients]
    if any(client.returncode for client in clients):
        raise SystemExit(f"a client of {queue} failed ({way})")
    return [json.loads(output) for output in outputs]


def _check_done(connection: Connection, generation: int, parts: int) -> None:
    """End the harness when the barrier is not done, or has not sent its callback exactly once."""
    row = connection.execute(
        "select state, done from pgqueue.barriers where generation = %s", [generation]
    ).fetchone()
    callbacks = scalar(connection, "select count(*) from pgqueue.messages where queue = %s", [TOTAL])
    if row != ("done", parts) or callbacks != 1:
        raise SystemExit(f"the barrier is {row}, with {callbacks} callbacks: void")


def _large(server: Server, connection: Connection, system: System, number: int) -> Sample:
    """One client ends the parts, each with a result that can't be compressed, then reads all results page by page."""
    _clear(connection, system)
    generation = _arm(connection, system, LARGE_PARTS)
    numbers = random.Random(number)
    texts = [result_text(numbers.randbytes(LARGE_BYTES // 2).hex()) for _ in range(LARGE_PARTS)]
    with PgQueue(server.conninfo) as client:
        client.peek(system.queue, qty=1)
        begin = time.monotonic()
        while texts:
            messages = client.read(system.queue, vt=60, qty=LARGE_BATCH)
            parts = [part for m in messages if (part := part_of(m.headers)) is not None]
            mine = [texts.pop() for _ in parts]
            ids, receipts = [m.msg_id for m in messages], [m.receipt for m in messages]
            client.run(settle.ack_parts(system.queue, ids, receipts, parts, mine))
        arrived = time.monotonic()
        found = [len(one.result) for one in barrier.results(client, KEY, generation, page=LARGE_BATCH)]
        read = time.monotonic()
    _check_done(connection, generation, LARGE_PARTS)
    if found != [LARGE_BYTES] * LARGE_PARTS:
        raise SystemExit(f"{system.name}: {len(found)} results of {sum(found)} characters came back: void")
    values = {"arrive_ms": (arrived - begin) * 1000, "results_ms": (read - arrived) * 1000}
    case = f"{LARGE_PARTS} parts with {LARGE_BYTES // 1_000_000} MB each"
    return Sample(NAME, case, f"{system.name} {BARRIER}", number, values)
