"""Wake: what wake-ups cost 64 producers, and how soon an idle worker starts on a message."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from benchmarks import pgbench
from benchmarks.background import every
from benchmarks.bouncer import bouncer, missing
from benchmarks.clients import tally
from benchmarks.plan import Plan, Steps, rounds_of
from benchmarks.processes import run_client, running, wait_for_report
from benchmarks.ratios import percentile, percentiles
from benchmarks.sample import Sample
from benchmarks.server import Connection, Meter, Server, own_server, scalar
from benchmarks.systems import LOG, PAYLOAD, ROW, System, install

NAME = "wake"
DEFAULT_SYSTEMS = ("log", "row")
PRODUCERS = 64
SENDS, PACE = 300, 20
ARM_SECONDS = 0.005
WARM_UP = 10
# How a producer sends, by script, and whether somebody waits.
OFF, ON, NOTIFY = "off", "on", "notify"
SCRIPTS = {OFF: "send", ON: "send_and_ring", NOTIFY: "send_and_notify"}
NOBODY, WORKER, ALWAYS = "nobody waits", "a worker waits", "somebody waits all the time"
LATENCIES = ("direct", "sender through PgBouncer", "worker through PgBouncer only")


def run(plan: Plan) -> list[Sample]:
    """Producers first, then latencies; each system in its turn."""
    systems = plan.chosen((LOG, ROW))
    parts = plan.option("only", "producers,latency").split(",")
    samples: list[Sample] = []
    with own_server() as server, server.connect() as connection:
        install(server.conninfo, connection, systems)
        if "producers" in parts:
            samples += _producers(plan, server, connection, systems)
        if "latency" in parts:
            samples += _latencies(plan, server, connection, systems)
    return samples


def _producers(plan: Plan, server: Server, connection: Connection, systems: list[System]) -> list[Sample]:
    samples = []
    states = (NOBODY, WORKER, ALWAYS)
    with Steps(NAME, plan.rounds * len(systems) * len(states) * len(SCRIPTS)) as steps:
        for state in states:
            for number, system in rounds_of(plan, systems):
                for way in SCRIPTS:
                    steps.step(f"round {number}, {state}, {system.name}, wake-ups {way}")
                    samples.append(_produce(server, connection, system, state, way, number, plan.seconds))
    return samples


def _produce(
    server: Server, connection: Connection, system: System, state: str, way: str, number: int, seconds: float
) -> Sample:
    system.refill(connection, 0)
    meter, before = Meter(connection), _last_id(connection, system)
    with ExitStack() as stack:
        if state == WORKER:
            # Wake-ups off is a worker that polls.
            stack.enter_context(_worker(server, system, listen=way != OFF))
        elif state == ALWAYS:
            arm = (system.statement("await"), ARM_SECONDS)
            stack.enter_context(every(server, [arm, (f"listen pgqueue_{system.queue}", 1.0)]))
        cpu = meter.cpu()
        load = pgbench.Load(
            system.statement(SCRIPTS[way]),
            PRODUCERS,
            seconds=seconds,
            variables={"payload": PAYLOAD},
            threads=2,
        )
        outcome = pgbench.run(server, load)
        values = meter.cpu_us(cpu, outcome.transactions)
    sent = _last_id(connection, system) - before
    if sent < outcome.transactions or (state != WORKER and system.depth(connection) != outcome.transactions):
        raise SystemExit(
            f"{system.name}, {way}: {outcome.transactions} sends, but {sent} ids were given: void"
        )
    case = f"{PRODUCERS} producers, {state}"
    return Sample(NAME, case, f"{system.name} {way}", number, {"rate": outcome.tps, **values})


def _last_id(connection: Connection, system: System) -> int:
    return int(scalar(connection, f"select coalesce(pg_sequence_last_value('pgqueue.s_{system.queue}'), 0)"))


@contextmanager
def _worker(server: Server, system: System, *, listen: bool) -> Iterator[None]:
    environment = {"BENCH_HANDLER": "async", "BENCH_QUEUE": system.queue}
    with tempfile.TemporaryDirectory() as folder:
        # More than can come: it reports never.
        environment |= {tally.EXPECTED: str(10**9), tally.REPORT: str(Path(folder) / "report")}
        argv = [
            "pgqueue",
            "consume",
            system.queue,
            "--app",
            "benchmarks.clients.noop:app",
            "--concurrency",
            "100",
        ]
        argv += ["--dsn", server.conninfo, "--log-level", "error", "--listen" if listen else "--no-listen"]
        with running(argv, environment):
            _wait_for_sessions(server)
            yield


def _wait_for_sessions(server: Server) -> None:
    """Return when the worker is at work, which shows in its sessions."""
    deadline = time.monotonic() + 20
    with server.connect() as connection:
        sql = "select exists (select from pg_stat_activity where query like '%%pgqueue.read%%' and pid <> pg_backend_pid())"
        while not scalar(connection, sql, []):
            if time.monotonic() > deadline:
                raise SystemExit("the worker doesn't read")
            time.sleep(0.02)


def _latencies(plan: Plan, server: Server, connection: Connection, systems: list[System]) -> list[Sample]:
    samples = []
    count = int(plan.option("sends", str(SENDS if plan.full else 60)))
    with ExitStack() as stack, Steps(NAME, plan.rounds * len(systems) * len(LATENCIES)) as steps:
        cases, reason = list(LATENCIES), missing()
        if reason:
            steps.say(f"what leads through PgBouncer is left out: {reason}")
            cases = cases[:1]
        pooled = "" if reason else stack.enter_context(bouncer(server))
        for case in cases:
            for number, system in rounds_of(plan, systems):
                steps.step(f"round {number}, latency, {case}, {system.name}")
                system.refill(connection, 0)
                samples.append(_latency(server, pooled, system, case, number, count))
    return samples


def _latency(server: Server, pooled: str, system: System, case: str, number: int, count: int) -> Sample:
    through_pooler = case == LATENCIES[2]
    worker_dsn = pooled if through_pooler else server.conninfo
    sender_dsn = server.conninfo if case == LATENCIES[0] else pooled
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        environment = {
            "BENCH_EXPECTED": str(count + WARM_UP),
            "BENCH_REPORT": str(report),
            "BENCH_QUEUE": system.queue,
        }
        argv = ["pgqueue", "consume", system.queue, "--app", "benchmarks.clients.stamp:app"]
        argv += ["--dsn", worker_dsn, "--log-level", "error"]
        with running(argv, environment) as process:
            _wait_for_sessions(server)
            sent = json.loads(run_client("pacer", sender_dsn, system.queue, count + WARM_UP, PACE))
            starts = wait_for_report(report, process, 30)
    if len(starts) != count + WARM_UP:
        raise SystemExit(f"{system.name}, {case}: {len(starts)} of {len(sent)} messages were handled: void")
    return _sample(sent[WARM_UP:], starts, f"latency, {case}", system.name, number)


def _sample(sent: list[list[float]], starts: dict[str, float], case: str, system: str, number: int) -> Sample:
    """Latencies from the answer to the send (its commit) and from the begin of the call."""
    commit = [(starts[str(msg_id)] - at) * 1000 for msg_id, _, at, _ in sent]
    call = [(starts[str(msg_id)] - begin) * 1000 for msg_id, begin, _, _ in sent]
    values = percentiles(commit, "ms") | {f"call_{name}": v for name, v in percentiles(call, "ms").items()}
    values["send_p50_ms"] = percentile([(end - begin) * 1000 for _, begin, _, end in sent], 50)
    return Sample(NAME, case, system, number, values, {"commit_ms": commit, "call_ms": call})
