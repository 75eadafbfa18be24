"""Hold: the rate over time with and without somebody in the way, and what is left on disk."""

from __future__ import annotations

import statistics

from benchmarks.charts import BarChart, LineChart
from benchmarks.ratios import Point, Results, shown, shown_ratio
from benchmarks.tables import Row, Table

RATIOS = {
    "late_over_control": "last third / control",
    "over_control": "all windows / control",
    "worst_over_control": "worst window / control",
    "last_over_first": "last / first window",
    "control_last_over_first": "the same, control",
}
SIZES = {
    "heap_mib": "heap, held, end",
    "index_mib": "indexes, held, end",
    "control_heap_mib": "heap, control",
    "control_index_mib": "indexes, control",
    "released_heap_mib": "heap, released",
    "released_index_mib": "indexes, released",
}
FIGURES = {
    "rate": "messages/s, held",
    "control_rate": "messages/s, control",
    "released_rate": "messages/s, released",
    "server_cpu_us": "server CPU, held, us",
    "control_cpu_us": "server CPU, control, us",
}


def tables(results: Results) -> list[Table]:
    found = []
    for case in results.cases():
        found += [
            _table(results, case, f"{case}: ratios, median (least..most)", RATIOS, ratios=True),
            _table(results, case, f"{case}: a message, in the last third of the windows", FIGURES),
            _table(results, case, f"{case}: size on disk, MiB", SIZES),
            _against_pgq(results, case),
            _over_time(results, case),
        ]
    return found


def charts(results: Results) -> list[BarChart | LineChart]:
    found: list[BarChart | LineChart] = []
    note = "Median of the rounds. Dashed: the same load without anybody in the way, in turns with it."
    for case in results.cases():
        rates, sizes, step = dict[str, list[float]](), dict[str, list[float]](), 10.0
        for system in results.systems():
            samples = results.at(Point(case, system))
            if samples:
                step = samples[0].series["window_s"][0]
                rates[system] = _median_line(results, case, system, "held_rate")
                rates[f"{system} control"] = _median_line(results, case, system, "control_rate")
                heap, index = (
                    _median_line(results, case, system, f"held_{w}_mib") for w in ("heap", "index")
                )
                sizes[system] = [a + b for a, b in zip(heap, index, strict=True)]
        found.append(LineChart(f"{case}: messages a second", "messages/s", step, rates, note))
        found.append(LineChart(f"{case}: heap and indexes, held", "MiB", step, sizes))
    return found


def _table(
    results: Results, case: str, title: str, columns: dict[str, str], *, ratios: bool = False
) -> Table:
    rows: list[Row] = []
    for system in results.systems():
        spreads = [results.spread(Point(case, system), value) for value in columns]
        if any(spreads):
            cells = (shown_ratio(s) if ratios else shown(s.median if s else None) for s in spreads)
            rows.append((system, *cells))
    return Table(title, ("", *columns.values()), rows)


def _against_pgq(results: Results, case: str) -> Table:
    rows: list[Row] = []
    for system in results.systems():
        ratio = results.ratio(Point(case, system), Point(case, "pgq"))
        control = results.ratio(Point(case, system), Point(case, "pgq"), "control_rate")
        if ratio and system != "pgq":
            rows.append((system, shown_ratio(ratio), shown_ratio(control)))
    return Table(f"{case}: rate against PgQ, last third", ("", "held", "control"), rows)


def _over_time(results: Results, case: str) -> Table:
    rows: list[Row] = []
    for system in results.systems():
        for which in ("held", "control"):
            line = _median_line(results, case, system, f"{which}_rate")
            if line:
                rows.append((f"{system}, {which}", *(shown(value) for value in line)))
    longest = max((len(row) for row in rows), default=1)
    header = ("", *("before" if place == 0 else str(place) for place in range(longest - 1)))
    return Table(f"{case}: messages a second by window", header, rows)


def _median_line(results: Results, case: str, system: str, name: str) -> list[float]:
    lines = [sample.series[name] for sample in results.at(Point(case, system)) if name in sample.series]
    return [statistics.median(values) for values in zip(*lines, strict=False)]
