"""Outside of faults something is settled all the time; and how fast, inside and outside, and how fast after a crash."""

from __future__ import annotations

import bisect
import itertools
from typing import Any

from tests_integration.torture.verdict.checks.stuck import quantiles
from tests_integration.torture.verdict.faults import between, merged, overlap
from tests_integration.torture.verdict.findings import Findings
from tests_integration.torture.verdict.model import Fate, History

LIVENESS_US = 3_000_000


def check(history: History, findings: Findings) -> dict[str, Any]:
    """Look at the gaps between settled messages while producers were at work."""
    ends = sorted(
        op.ended
        for life in history.lives.values()
        for op, _, _, fate in life.ends()
        if fate is Fate.SURE and op.ended is not None and not op.is_audit
    )
    begin, end = history.phases.get("load", 0), history.phases.get("drain", 0)
    faulty = history.faults.windows(lambda fault: fault.kind != "load")
    longest, at = _longest_gap(history, ends, between(merged([*faulty, *history.nobody_reads()]), begin, end))
    if longest > history.config.get("liveness_us", LIVENESS_US) * 1000:
        findings.add("no_progress", seconds=round(longest / 1e9, 1), from_ns=at)
    return {
        "longest_gap_ms": longest // 1_000_000,
        "throughput": _throughput(ends, faulty, begin, end),
        "recovery_after_server_faults_ms": quantiles(_recoveries(history, ends)),
    }


def _longest_gap(history: History, ends: list[int], calm: list[tuple[int, int]]) -> tuple[int, int]:
    """Return the longest time without an end, from the first send in it that could be read at once."""
    sends = sorted(one.sure_from for one in history.confirmed() if one.sure_from and not one.delay_us)
    longest, at = 0, 0
    for begin, end in calm:
        inside = ends[bisect.bisect_left(ends, begin) : bisect.bisect_right(ends, end)]
        for start, stop in itertools.pairwise([begin, *inside, end]):
            first = bisect.bisect_left(sends, start)
            if first < len(sends) and sends[first] < stop and stop - sends[first] > longest:
                longest, at = stop - sends[first], sends[first]
    return longest, at


def _throughput(ends: list[int], faulty: list[tuple[int, int]], begin: int, end: int) -> dict[str, float]:
    """Return messages a second, while faults were at work and while none was."""
    loaded = [moment for moment in ends if begin <= moment <= end]
    inside = sum(1 for moment in loaded if overlap(faulty, moment, moment + 1))
    seconds = overlap(faulty, begin, end) / 1e9
    calm = max(0.0, (end - begin) / 1e9 - seconds)
    return {
        "inside_faults": round(inside / seconds, 1) if seconds else 0.0,
        "outside_faults": round((len(loaded) - inside) / calm, 1) if calm else 0.0,
        "seconds_inside": round(seconds, 1),
        "seconds_outside": round(calm, 1),
    }


def _recoveries(history: History, ends: list[int]) -> list[int]:
    """Return for each fault of the server how long after its end the first message was settled, ns, sorted."""
    found = []
    for fault in history.faults.of("server"):
        if fault.happened and fault.healed is not None:
            index = bisect.bisect_left(ends, fault.healed)
            if index < len(ends):
                found.append(ends[index] - fault.healed)
    return sorted(found)
