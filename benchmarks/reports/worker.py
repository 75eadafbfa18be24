"""Worker: rates at the handler, what they cost on both sides, and memory over a long run."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from benchmarks.charts import Bar, BarChart, LineChart
from benchmarks.ratios import NOTHING, Point, Results, shown, shown_ratio
from benchmarks.tables import Row, Table

OURS = ("log_async", "row_async", "log_batch")
CELL, MEMORY = " handlers, concurrency ", "memory over "
# A microsecond a message is a millisecond a thousand.
FIGURES = {
    "rate": "Messages a second at the handler, median",
    "client_cpu_us": "CPU of the worker, milliseconds per 1,000 messages, median",
    "server_cpu_us": "CPU of the server (for celery Redis included), milliseconds per 1,000 messages, median",
}
MEMORY_FIGURES = {
    "rate": "messages/s",
    "first_mib": "first, MiB",
    "tenth_mib": "after a tenth",
    "last_mib": "last",
    "most_mib": "most",
    "last_over_tenth": "last / after a tenth",
}


def tables(results: Results) -> list[Table]:
    """A row is a worker, a column what its handler does and how many may run at once."""
    found = [_cells(results, title, partial(_median, results, value)) for value, title in FIGURES.items()]
    for ours in OURS:
        title = f"Rate of {ours} against each, median (least..most)"
        found.append(_cells(results, title, partial(_against, results, ours)))
    return [*found, _memory(results)]


def charts(results: Results) -> list[BarChart | LineChart]:
    found: list[BarChart | LineChart] = []
    cases = _cases(results)
    for handler in dict.fromkeys(case.partition(CELL)[0] for case in cases):
        groups = []
        for system in results.systems():
            spreads = {
                case: results.spread(Point(case, system), "rate")
                for case in cases
                if case.startswith(handler + CELL)
            }
            bars = [Bar(case.partition(CELL)[2], spread) for case, spread in spreads.items() if spread]
            if bars:
                groups.append((system, bars))
        title, note = (
            f"Through one worker process, {handler} handlers",
            "Colours: concurrency. Scale by powers of ten.",
        )
        found.append(BarChart(title, "messages/s", groups, note, log=True))
    lines = {
        sample.system: sample.series["held_mib"]
        for case in results.cases()
        if case.startswith(MEMORY)
        for system in results.systems()
        for sample in results.at(Point(case, system))
    }
    if lines:
        found.append(
            LineChart(
                "Memory of our worker over a long queue", "MiB", 1.0, lines, begin="first message", end="s"
            )
        )
    return found


def _cases(results: Results) -> list[str]:
    """The cells that were measured, idle handlers and few at once first, in whatever order the runs came."""
    cells = [(case.partition(CELL), case) for case in results.cases() if CELL in case]
    return [case for _, case in sorted(cells, key=lambda cell: (cell[0][0] != "noop", int(cell[0][2])))]


def _cells(results: Results, title: str, text: Callable[[Point], str]) -> Table:
    """One table over all cells; a worker without any figure has no row."""
    cases = _cases(results)
    rows: list[Row] = []
    for system in results.systems():
        texts = [text(Point(case, system)) for case in cases]
        if set(texts) - {NOTHING}:
            rows.append((system, *texts))
    return Table(title, ("", *(case.replace(CELL, " ") for case in cases)), rows)


def _median(results: Results, value: str, point: Point) -> str:
    spread = results.spread(point, value)
    return shown(spread.median if spread else None)


def _against(results: Results, ours: str, point: Point) -> str:
    if point.system == ours:
        return NOTHING
    return shown_ratio(results.ratio(Point(point.case, ours), point))


def _memory(results: Results) -> Table:
    rows: list[Row] = []
    for case in results.cases():
        for system in results.systems():
            point = Point(case, system)
            if case.startswith(MEMORY) and results.at(point):
                rows.append(
                    (f"{case}, {system}", *(_median(results, value, point) for value in MEMORY_FIGURES))
                )
    title = "Memory of our worker and its supervisor, sampled every second"
    return Table(title, ("", *MEMORY_FIGURES.values()), rows)
