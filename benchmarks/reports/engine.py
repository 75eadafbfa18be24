"""Engine: ratios to pgmq and to the bare table, then the figures themselves."""

from __future__ import annotations

from benchmarks.charts import BarChart, LineChart, ratio_chart
from benchmarks.ratios import Point, Results, shown_ratio
from benchmarks.tables import Row, Table, figure_table, ratio_table

OURS = ("log", "row")
OTHERS = ("log_by_name", "row_by_name", "floor", "inline_vt", "inline_hot")


def tables(results: Results) -> list[Table]:
    present = results.systems()
    like = [(name, "pgmq") for name in (*OURS, *OTHERS) if name in present]
    floor = [(name, "floor") for name in OURS if name in present and "floor" in present]
    found = [
        ratio_table(results, "Rate, like for like: both in the same commit mode, median (least..most)", like)
    ]
    if floor:
        found.append(ratio_table(results, "Rate against the bare table", floor))
    return [
        *found,
        _defaults(results),
        figure_table(results, "Messages a second, median", "rate"),
        figure_table(results, "Server CPU, microseconds a message, median", "server_cpu_us"),
        figure_table(results, "WAL, bytes a message, median", "wal_bytes"),
        figure_table(results, "Share of the messages asked for that reads brought, median", "filled"),
    ]


def charts(results: Results) -> list[BarChart | LineChart]:
    pairs = [(name, "pgmq") for name in OURS if name in results.systems()]
    note = "1 is pgmq's rate in the same round and commit mode; thin lines are the spread over the rounds."
    return [ratio_chart(results, "Rate against pgmq, like for like", pairs, note=note)]


def default_ratio(results: Results, case: str, ours: str) -> str:
    """Ours asynchronous over pgmq synchronous; `case` without its commit mode."""
    spread = results.ratio(Point(f"{case}, async", ours), Point(f"{case}, sync", "pgmq"))
    return shown_ratio(spread)


def _defaults(results: Results) -> Table:
    cases = [case.removesuffix(", async") for case in results.cases() if case.endswith(", async")]
    ours = [name for name in OURS if name in results.systems()]
    rows: list[Row] = [(case, *(default_ratio(results, case, name) for name in ours)) for case in cases]
    title = (
        "NOT like for like: our default (read and ack commit asynchronously) against pgmq's (synchronously)"
    )
    return Table(title, ("", *(f"{name} async / pgmq sync" for name in ours)), rows)
