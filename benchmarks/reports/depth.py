"""Depth: how much slower a read gets, against the same read at 1k ready."""

from __future__ import annotations

from benchmarks.charts import BarChart, LineChart, figure_chart
from benchmarks.ratios import Point, Results, Spread, shown, shown_ratio
from benchmarks.tables import Row, Table


def tables(results: Results) -> list[Table]:
    return [
        _table(
            results,
            "One read, milliseconds: p50 / p95, and p50 against a queue with 1k ready, read in turn with it",
            "read",
        ),
        _table(
            results,
            "Depth of a queue (our view `queues`, pgmq's `metrics`), milliseconds: p50 / p95, and p50 against a queue of 10",
            "count",
        ),
    ]


def charts(results: Results) -> list[BarChart | LineChart]:
    note = "Scale by powers of ten. Flat is good: the same at 1k and at the deepest."
    reads = [case for case in results.cases() if case.startswith("read 10,")]
    counts = [case for case in results.cases() if case.startswith("count")]
    return [
        figure_chart(results, "One read of 10, median", "ms", "p50_ms", cases=reads, note=note, log=True),
        figure_chart(
            results, "Looking at the depth, median", "ms", "p50_ms", cases=counts, note=note, log=True
        ),
    ]


def flatness(results: Results, case: str, system: str) -> Spread | None:
    """Median time over that of the small queue beside it, round by round."""
    return results.spread(Point(case, system), "times_base")


def _table(results: Results, title: str, group: str) -> Table:
    systems = results.systems()
    cases = [case for case in results.cases() if case.startswith(group)]
    rows: list[Row] = [(case, *(_cell(results, case, system) for system in systems)) for case in cases]
    return Table(title, ("", *systems), rows)


def _cell(results: Results, case: str, system: str) -> str:
    median, slow = (results.spread(Point(case, system), value) for value in ("p50_ms", "p95_ms"))
    if median is None or slow is None:
        return "-"
    return f"{shown(median.median)} / {shown(slow.median)}, x{shown_ratio(flatness(results, case, system))}"
