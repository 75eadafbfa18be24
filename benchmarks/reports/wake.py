"""Wake: rates of 64 producers with and without wake-ups, and latencies."""

from __future__ import annotations

from benchmarks.charts import BarChart, LineChart, figure_chart
from benchmarks.ratios import Point, Results, shown, shown_ratio
from benchmarks.tables import Row, Table

LATENCY = {
    "p50_ms": "p50",
    "p95_ms": "p95",
    "p99_ms": "p99",
    "call_p50_ms": "from the call's begin: p50",
    "call_p99_ms": "p99",
    "send_p50_ms": "the send itself: p50",
}


def tables(results: Results) -> list[Table]:
    kinds = [kind for kind in ("log", "row") if any(s.startswith(kind) for s in results.systems())]
    rows: list[Row] = []
    for case in results.cases():
        if "producers" in case:
            rows += [(f"{case}, {kind}", *_rates(results, case, kind)) for kind in kinds]
    header = ("", "off, sends/s", "on", "notify in the send", "on / off", "notify / off")
    latency: list[Row] = []
    for case in results.cases():
        if case.startswith("latency"):
            for kind in kinds:
                spreads = [results.spread(Point(case, kind), value) for value in LATENCY]
                latency.append((f"{case}, {kind}", *(shown(s.median if s else None) for s in spreads)))
    return [
        Table("Sends by 64 producers, wake-ups off and on", header, rows),
        Table("From the send's commit to the handler's start, ms", ("", *LATENCY.values()), latency),
    ]


def charts(results: Results) -> list[BarChart | LineChart]:
    producers = [case for case in results.cases() if "producers" in case]
    latency = [case for case in results.cases() if case.startswith("latency")]
    note = "Scale by powers of ten."
    return [
        figure_chart(results, "Sends by 64 producers", "sends/s", "rate", cases=producers),
        figure_chart(results, "Commit to handler, p50", "ms", "p50_ms", cases=latency, note=note, log=True),
        figure_chart(results, "Commit to handler, p99", "ms", "p99_ms", cases=latency, note=note, log=True),
    ]


def _rates(results: Results, case: str, kind: str) -> Row:
    off, on, notify = (Point(case, f"{kind} {way}") for way in ("off", "on", "notify"))
    medians = [results.spread(point, "rate") for point in (off, on, notify)]
    ratios = [results.ratio(on, off), results.ratio(notify, off)]
    return (*(shown(s.median if s else None) for s in medians), *(shown_ratio(r) for r in ratios))
