"""Worker: rates at the handler, and what they cost on both sides."""

from __future__ import annotations

from benchmarks.charts import BarChart, LineChart, figure_chart
from benchmarks.ratios import NOTHING, Point, Results, shown, shown_ratio
from benchmarks.tables import Row, Table

FIGURES = ("rate", "client_cpu_us", "server_cpu_us")
RIVALS = ("pgmq_loop", "pgqueuer", "procrastinate")


def tables(results: Results) -> list[Table]:
    rows: list[Row] = []
    for case in results.cases():
        for system in results.systems():
            here = Point(case, system)
            spreads = [results.spread(here, value) for value in FIGURES]
            ratios = [
                shown_ratio(results.ratio(here, Point(case, rival))) if rival != system else NOTHING
                for rival in RIVALS
            ]
            rows.append((system, *(shown(s.median if s else None) for s in spreads), *ratios))
    header = ("", "messages/s", "client CPU, us", "server CPU, us", *(f"/ {rival}" for rival in RIVALS))
    return [
        Table("Rate at the handler and CPU a message, median; ratios of rates (least..most)", header, rows)
    ]


def charts(results: Results) -> list[BarChart | LineChart]:
    return [figure_chart(results, "Messages a second through one worker process", "messages/s", "rate")]
