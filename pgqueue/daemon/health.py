"""What the probes are answered: from the last view of the fleet, never by asking a database."""

from __future__ import annotations

from typing import Any, NamedTuple

import orjson

from pgqueue.consumer.record import STARTED, WAITING
from pgqueue.daemon import rules
from pgqueue.daemon.model import FleetView, WorkerView

JSON = "application/json"
TEXT = "text/plain; charset=utf-8"
OK, NOT_FOUND, NOT_BUILT_IN, UNAVAILABLE = 200, 404, 501, 503
LIFE, READINESS = ("/livez", "/healthz"), "/readyz"


class Answer(NamedTuple):
    """An HTTP answer."""

    status: int
    kind: str
    body: bytes


def answer(path: str, view: FleetView, now: float) -> Answer:
    """Answer a GET; what follows a question mark is ignored."""
    name = path.partition("?")[0]
    if name in LIFE:
        return _probe("livez", rules.problems_of_life(view, now), view)
    if name == READINESS:
        return _probe("readyz", rules.problems_of_readiness(view), view)
    if name == "/metrics":
        return _metrics(view, now)
    return Answer(NOT_FOUND, TEXT, b"There are /livez, /readyz and /metrics.\n")


def _probe(check: str, problems: list[str], view: FleetView) -> Answer:
    body = {
        "status": "unhealthy" if problems else "healthy",
        "check": check,
        "problems": problems,
        "workers": [_worker(worker, view.taken_at) for worker in view.workers],
    }
    return Answer(UNAVAILABLE if problems else OK, JSON, orjson.dumps(body) + b"\n")


def _worker(worker: WorkerView, now: float) -> dict[str, Any]:
    started = [row.since for row in worker.rows if row.state == STARTED]
    return {
        "worker": worker.number,
        "pid": worker.pid,
        "phase": worker.beat.phase,
        "leaving": worker.leaving,
        "uptime_seconds": round(worker.uptime, 1),
        "seconds_since_last_beat": round(worker.silent_for, 1),
        "reads_failing_for_seconds": round(worker.beat.failing_for, 1),
        "running": len(started),
        "waiting": sum(row.state == WAITING for row in worker.rows),
        "longest_run_seconds": round(now - min(started, default=now), 1),
    }


def _metrics(view: FleetView, now: float) -> Answer:
    try:
        from pgqueue.daemon import metrics  # noqa: PLC0415 - an extra, and not needed before the first scrape
    except ModuleNotFoundError:
        return Answer(NOT_BUILT_IN, TEXT, b"Metrics need the extra: pip install 'pgqueue-engine[metrics]'\n")
    return Answer(OK, metrics.KIND, metrics.render(view, now))
