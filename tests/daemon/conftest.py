"""Views of workers made by hand."""

from __future__ import annotations

from typing import Any

import pytest

from pgqueue.consumer.record import STARTED, Row
from pgqueue.consumer.report import Beat, Phase, PlanLine
from pgqueue.daemon.model import WorkerView
from pgqueue.queue.model import Backoff
from tests.consumer.conftest import Clock, Said

PLAN = PlanLine(0, "orders", vt=30.0, health_stale=60.0, backoff=Backoff(1.0, 2.0, 3600.0, 0.0))


def row(msg_id: int = 1, *, state: int = STARTED, since: float = 0.0, plan: int = 0, attempt: int = 1) -> Row:
    return Row(state, plan, attempt, msg_id, 1000 + msg_id, since)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def said(caplog: pytest.LogCaptureFixture) -> Said:
    caplog.set_level("DEBUG", "pgqueue")
    return Said(caplog)


def beat(phase: Phase = Phase.CONSUMING, **rest: Any) -> Beat:
    return Beat(phase, **rest)


def view(*rows: Row, **rest: Any) -> WorkerView:
    given: dict[str, Any] = {"number": 0, "pid": 1, "uptime": 100.0, "silent_for": 0.0, "beat": beat()}
    return WorkerView(rows=rows, **(given | {"plans": {0: PLAN}} | rest))
