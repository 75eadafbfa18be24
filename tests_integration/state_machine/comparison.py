"""Hold what the engine answered against what the model says."""

from __future__ import annotations

from itertools import zip_longest
from typing import Any

from tests_integration.state_machine.values import Row


def handed(row: Row) -> tuple[Any, ...]:
    """Shape a row as the engine hands it out."""
    return (
        row.msg_id, row.read_ct, row.receipt, row.message, row.headers, row.release_ct, row.priority, row.group_key,
    )  # fmt: skip


class Difference(AssertionError):
    """Engine and model disagree."""


def equal(got: object, wanted: object) -> None:
    if got == wanted:
        return
    if isinstance(got, list) and isinstance(wanted, list):
        pairs = enumerate(zip_longest(got, wanted))
        place, (left, right) = next((place, pair) for place, pair in pairs if pair[0] != pair[1])
        raise Difference(f"row {place}:\n  engine {left}\n  model  {right}")
    raise Difference(f"\n  engine {got}\n  model  {wanted}")
