from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from pgqueue.message.model import Message
from pgqueue.schedule.model import Slot
from pgqueue.task.context import Context
from pgqueue.task.identity import Subject

NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)


def context(headers: dict[str, Any] | None) -> Context:
    message = Message(1, 1, NOON, None, NOON, {}, headers, 7, 0, 0, None)
    lease: Any = None
    return Context("orders", None, message, Subject(None, None), lease)


def test_handler_knows_its_slot() -> None:
    sent = {"pgqueue-schedule": {"schedule": "tick", "slot": "2030-01-01T12:00:00Z"}}
    assert context(sent).slot == Slot("tick", NOON)
    assert context(None).slot is None
