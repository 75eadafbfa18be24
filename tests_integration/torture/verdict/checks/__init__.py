"""The checks, in the order of the report. A new one is a module with a function `check` and a line here."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests_integration.torture.verdict.checks import (
    accounts,
    barriers,
    bounded,
    claims,
    duplicates,
    effects,
    ending,
    leaders,
    leases,
    liveness,
    receipts,
    slots,
    stuck,
)
from tests_integration.torture.verdict.findings import Findings
from tests_integration.torture.verdict.model import History

Check = Callable[[History, Findings], dict[str, Any]]

CHECKS: tuple[Check, ...] = (
    accounts.check,
    receipts.check,
    leases.check,
    duplicates.check,
    effects.check,
    bounded.check,
    stuck.check,
    liveness.check,
    barriers.check,
    claims.check,
    slots.check,
    leaders.check,
    ending.check,
)
