"""Make green mean tested: with PGQUEUE_REQUIRE_ALL=1 whatever was not run counts as a failure."""

from __future__ import annotations

import os
from collections.abc import Generator
from typing import TypeVar

import pytest

Report = TypeVar("Report", pytest.TestReport, pytest.CollectReport)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    return _refuse_skip((yield))


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    return _refuse_skip((yield))


def _refuse_skip(report: Report) -> Report:
    not_run = report.outcome == "skipped" or hasattr(report, "wasxfail")
    if not_run and os.environ.get("PGQUEUE_REQUIRE_ALL") == "1":
        reason = getattr(report, "wasxfail", None) or report.longreprtext
        report.outcome = "failed"
        report.longrepr = f"skipped or expected to fail, and PGQUEUE_REQUIRE_ALL=1 allows neither: {reason}"
        if hasattr(report, "wasxfail"):
            del report.wasxfail
    return report
