"""Worker: one process, ours beside a bare loop over pgmq and the workers of others, with idle and with short handlers."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack

import click

from benchmarks.parts import memory
from benchmarks.parts.contenders import CONCURRENCIES, HANDLERS, NOOP, Cell, OverSystem, Peer, Worker, workers
from benchmarks.parts.trial import Trial
from benchmarks.plan import Plan, Steps, turned
from benchmarks.sample import Sample
from benchmarks.server import any_server
from benchmarks.systems import install

NAME = "worker"
# A probe that is over too soon is done again with more.
PROBES, PROBE_SECONDS = (200, 2_000, 20_000), 0.5
LEAST = 200
KNOWN = tuple(worker.name for worker in workers())


def cells(plan: Plan) -> list[Cell]:
    """What this run is for: idle handlers at 100 in short, everything in full. Ends the harness at a wrong name."""
    handlers = plan.option("handler", ",".join(HANDLERS) if plan.full else NOOP).split(",")
    concurrencies = plan.option("concurrency", ",".join(CONCURRENCIES) if plan.full else "100").split(",")
    if unknown := sorted(set(handlers) - set(HANDLERS)):
        raise SystemExit(f"{', '.join(unknown)} is no handler: {', '.join(HANDLERS)}")
    if wrong := [each for each in concurrencies if not each.isdecimal() or int(each) < 1]:
        raise SystemExit(f"{', '.join(wrong)} is no concurrency: give whole numbers from 1 on")
    return [Cell(handler, concurrency) for handler in handlers for concurrency in concurrencies]


def run(plan: Plan) -> list[Sample]:
    """Cell by cell: probe each worker once, then round by round one after the other."""
    wanted, matrix, watched = plan.chosen(workers()), cells(plan), memory.messages(plan)
    if watched:
        wanted = memory.chosen(wanted)
    with ExitStack() as stack:
        server = stack.enter_context(any_server(plan.dsn))
        connection = stack.enter_context(server.connect())
        present = _present(wanted)
        systems = dict.fromkeys(worker.system for worker in present if isinstance(worker, OverSystem))
        install(server.conninfo, connection, list(systems))
        for worker in present:
            worker.open(stack)
            worker.install(server, connection)
        if watched:
            return memory.run(watched, matrix[0].concurrency, server, connection, present)
        samples = []
        with Steps(NAME, sum((plan.rounds + 1) * len(fitting(cell, present)) for cell in matrix)) as steps:
            for cell in matrix:
                trial = Trial(server, connection, cell)
                samples += _measure_cell(plan, trial, fitting(cell, present), steps)
        return samples


def fitting(cell: Cell, present: Sequence[Worker]) -> list[Worker]:
    return [worker for worker in present if worker.takes(cell)]


def _present(wanted: Sequence[Worker]) -> list[Worker]:
    """Those that can run here; says why the others can't."""
    reasons = {worker.name: worker.missing() for worker in wanted}
    for name, reason in reasons.items():
        if reason:
            click.echo(f"{name} is left out: {reason}", err=True)
    return [worker for worker in wanted if not reasons[worker.name]]


def _measure_cell(plan: Plan, trial: Trial, fit: Sequence[Worker], steps: Steps) -> list[Sample]:
    samples, rates = [], dict[str, float]()
    for worker in fit:
        steps.step(f"{trial.cell.case}, probe, {worker.name}")
        rates[worker.name] = _probe(trial, worker, steps)
    for number in range(1, plan.rounds + 1):
        for worker in turned(fit, number):
            steps.step(f"{trial.cell.case}, round {number}, {worker.name}")
            if rate := rates[worker.name]:
                values = measured(trial, worker, max(LEAST, round(rate * plan.seconds)), steps)
                samples += [Sample(NAME, trial.cell.case, worker.name, number, values)] if values else []
                # A worker that was slow to start must not be measured at its start again.
                rates[worker.name] = max(rate, values.get("rate", 0.0))
    return samples


def _probe(trial: Trial, worker: Worker, steps: Steps) -> float:
    """About how many messages a second it handles; 0 for one that is out."""
    rate = 0.0
    for count in PROBES:
        rate = measured(trial, worker, count, steps).get("rate", 0.0)
        if not rate or count / rate >= PROBE_SECONDS:
            break
    return rate


def measured(trial: Trial, worker: Worker, count: int, steps: Steps) -> dict[str, float]:
    """Measure. Where a peer fails, nothing, and a line that says so; where one of ours fails, the harness ends."""
    try:
        return trial.measure(worker, count)
    except SystemExit as failure:
        if not isinstance(worker, Peer):
            raise
        steps.say(f"{trial.cell.case}: a sample of {worker.name} is left out: {failure}")
        return {}
