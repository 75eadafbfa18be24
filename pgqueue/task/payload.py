"""The payload of a task message: `{"task": name, "args": [...], "kwargs": {...}}`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pgqueue.barrier.rules import refuse_mark
from pgqueue.errors import InvalidInput
from pgqueue.reply.rules import refuse_result_mark

KEYS = frozenset({"task", "args", "kwargs"})
LONGEST_NAME = 255


@dataclass(frozen=True, slots=True)
class TaskPayload:
    """The name of a task and what to call it with."""

    task: str
    args: list[Any]
    kwargs: dict[str, Any]


def build(task: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """Make the payload of a task message, also for a task that is registered elsewhere."""
    if not 0 < len(task) <= LONGEST_NAME:
        raise InvalidInput(f"the name of a task has 1 to {LONGEST_NAME} characters, not {len(task)}")
    refuse_mark(kwargs)
    refuse_result_mark(kwargs)
    return {"task": task, "args": list(args), "kwargs": dict(kwargs)}


def parse(value: Any) -> TaskPayload | str:
    """Read a decoded payload; what is no task message comes back as the reason why. Never raises."""
    if not isinstance(value, dict):
        return f"it is {describe(value)}, not an object"
    if unknown := value.keys() - KEYS:
        return f"it has the key {min(unknown)[:80]!r} beside task, args and kwargs"
    task, args, kwargs = value.get("task"), value.get("args", []), value.get("kwargs", {})
    if not isinstance(task, str) or not 0 < len(task) <= LONGEST_NAME:
        return f"its task is {describe(task)}, not a name of 1 to {LONGEST_NAME} characters"
    if not isinstance(args, list):
        return f"its args are {describe(args)}, not a list"
    if not isinstance(kwargs, dict):
        return f"its kwargs are {describe(kwargs)}, not an object"
    return TaskPayload(task, args, kwargs)


def describe(value: Any) -> str:
    """Name the JSON kind of a value without showing it: payloads stay out of logs and errors."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "a boolean"
    if isinstance(value, (int, float)):
        return "a number"
    if isinstance(value, str):
        return "a string"
    return "a list" if isinstance(value, list) else "an object"
