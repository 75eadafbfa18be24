"""The metrics of a fleet for Prometheus, from its last view; a scrape asks neither a database nor a worker."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector

from pgqueue.consumer.record import STARTED, WAITING
from pgqueue.consumer.report import QueueCounts
from pgqueue.daemon import rules
from pgqueue.daemon.fleet import merged
from pgqueue.daemon.model import FleetView, WorkerView

KIND = CONTENT_TYPE_LATEST


class Kept(NamedTuple):
    """One metric: name, labels, and what it counts. A name that ends in _total is a counter, any other a gauge."""

    name: str
    labels: tuple[str, ...]
    meaning: str


METRICS = (
    Kept("pgqueue_live", (), "1 while /livez is green"),
    Kept("pgqueue_ready", (), "1 while /readyz is green"),
    Kept("pgqueue_workers", ("phase",), "Worker processes by phase"),
    Kept("pgqueue_worker_ends_total", ("reason",), "Worker processes that ended: crashed, stale, recycled"),
    Kept(
        "pgqueue_worker_crashes_in_a_row",
        ("worker",),
        "Processes in a row that died at their start",
    ),
    Kept("pgqueue_worker_uptime_seconds", ("worker",), "Age of the worker process"),
    Kept("pgqueue_worker_silent_seconds", ("worker",), "Time since the worker's last beat"),
    Kept(
        "pgqueue_worker_loop_lag_seconds", ("worker",), "How long the worker's event loop has owed an answer"
    ),
    Kept(
        "pgqueue_worker_reads_failing_seconds",
        ("worker",),
        "How long reads have failed without one success: the longest of its queues",
    ),
    Kept("pgqueue_worker_resident_bytes", ("worker",), "Memory of the worker process"),
    Kept("pgqueue_messages_running", ("queue",), "Messages whose handlers run now"),
    Kept("pgqueue_messages_waiting", ("queue",), "Messages claimed ahead whose handlers have not started"),
    Kept(
        "pgqueue_messages_unsettled",
        ("queue",),
        "Messages whose handlers are done and that await the database",
    ),
    Kept("pgqueue_longest_run_seconds", ("queue",), "Age of the handler that has run longest"),
    Kept("pgqueue_messages_claimed_total", ("queue",), "Messages that reads brought"),
    Kept("pgqueue_messages_handled_total", ("queue",), "Handlers that ended, however"),
    Kept("pgqueue_handler_seconds_total", ("queue",), "Time that handlers took, summed up"),
    Kept(
        "pgqueue_messages_settled_total",
        ("queue", "verb"),
        "Messages settled: delete, archive, retry, bury, release; of barriers: arrive, bury_part, finish; "
        "with a reply or what follows: ack_with",
    ),
    Kept("pgqueue_reads_failed_total", ("queue",), "Reads that failed"),
    Kept(
        "pgqueue_messages_settled_for_dead_workers_total",
        ("queue", "verb"),
        "Messages of dead workers given back",
    ),
    Kept(
        "pgqueue_leases_renewed_for_silent_workers_total",
        ("queue",),
        "Leases that the supervisor had to renew",
    ),
)

Sample = tuple[str, tuple[str, ...], float]


def render(view: FleetView, now: float) -> bytes:
    """Write a view in the text format of Prometheus."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Fleet(view, now))
    return generate_latest(registry)


class _Fleet(Collector):
    def __init__(self, view: FleetView, now: float) -> None:
        self._view, self._now = view, now

    def collect(self) -> Iterator[Metric]:
        families: dict[str, CounterMetricFamily | GaugeMetricFamily] = {}
        for kept in METRICS:
            kind = CounterMetricFamily if kept.name.endswith("_total") else GaugeMetricFamily
            families[kept.name] = kind(kept.name, kept.meaning, labels=kept.labels)
        for name, labels, value in samples(self._view, self._now):
            families[name].add_metric(labels, value)
        yield from families.values()


def samples(view: FleetView, now: float) -> Iterator[Sample]:
    """Give every sample of a view: name, values of the labels, value."""
    yield "pgqueue_live", (), float(not rules.problems_of_life(view, now))
    yield "pgqueue_ready", (), float(not rules.problems_of_readiness(view))
    for phase in sorted({worker.beat.phase for worker in view.workers}):
        yield "pgqueue_workers", (phase,), sum(worker.beat.phase is phase for worker in view.workers)
    for reason in ("crashed", "stale", "recycled"):
        yield "pgqueue_worker_ends_total", (reason,), view.counts.deaths.get(reason, 0)
    for number, crashes in enumerate(view.crashes):
        yield "pgqueue_worker_crashes_in_a_row", (str(number),), crashes
    for worker in view.workers:
        if worker.leaving is None:  # its place may have another one already
            yield from _of_worker(worker)
    yield from _of_queues(view)


def _of_worker(worker: WorkerView) -> Iterator[Sample]:
    labels = (str(worker.number),)
    yield "pgqueue_worker_uptime_seconds", labels, worker.uptime
    yield "pgqueue_worker_silent_seconds", labels, worker.silent_for
    yield "pgqueue_worker_loop_lag_seconds", labels, worker.beat.loop_lag
    yield "pgqueue_worker_reads_failing_seconds", labels, worker.beat.failing_for
    yield "pgqueue_worker_resident_bytes", labels, worker.beat.resident_bytes


def _of_queues(view: FleetView) -> Iterator[Sample]:
    counts = _added_up([view.counts.retired, *(worker.beat.queues for worker in view.workers)])
    for queue, of_queue in sorted(counts.items()):
        yield "pgqueue_messages_claimed_total", (queue,), of_queue.claimed
        yield "pgqueue_messages_handled_total", (queue,), of_queue.handled
        yield "pgqueue_handler_seconds_total", (queue,), of_queue.handler_seconds
        yield "pgqueue_reads_failed_total", (queue,), of_queue.failed_reads
        for verb, number in sorted(of_queue.settled.items()):
            yield "pgqueue_messages_settled_total", (queue, verb), number
    for queue in sorted(counts):
        yield from _held(view, queue)
    for (queue, verb), number in sorted(view.counts.settled_for_dead.items()):
        yield "pgqueue_messages_settled_for_dead_workers_total", (queue, verb), number
    for queue, number in sorted(view.counts.renewed_for_silent.items()):
        yield "pgqueue_leases_renewed_for_silent_workers_total", (queue,), number


def _held(view: FleetView, queue: str) -> Iterator[Sample]:
    rows = [
        row
        for worker in view.workers
        for row in worker.rows
        if (plan := worker.plans.get(row.plan)) is not None and plan.queue == queue
    ]
    started = [row.since for row in rows if row.state == STARTED]
    waiting = sum(row.state == WAITING for row in rows)
    yield "pgqueue_messages_running", (queue,), len(started)
    yield "pgqueue_messages_waiting", (queue,), waiting
    yield "pgqueue_messages_unsettled", (queue,), len(rows) - len(started) - waiting
    yield "pgqueue_longest_run_seconds", (queue,), view.taken_at - min(started, default=view.taken_at)


def _added_up(parts: Iterable[Mapping[str, QueueCounts]]) -> dict[str, QueueCounts]:
    total: dict[str, QueueCounts] = {}
    for part in parts:
        for queue, counts in part.items():
            total[queue] = merged(total.get(queue, QueueCounts()), counts)
    return total
