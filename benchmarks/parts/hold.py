"""Hold: a steady mixed load while another session stands in the way of vacuum, beside the same load without it.

Two servers of our own: one held, one control. They take turns window by window, so that both see the same machine,
and only one of them works at a time.
"""

from __future__ import annotations

import statistics
import time
from collections import defaultdict
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack, nullcontext

from benchmarks import pgq
from benchmarks.background import fill_ballast, held_snapshot, long_writer, slow_dump
from benchmarks.parts.subjects import PgqSubject, QueueSubject, Subject
from benchmarks.plan import Plan, Steps, rounds_of, turned
from benchmarks.sample import Sample
from benchmarks.server import Server, own_server
from benchmarks.systems import LOG, PGMQ, ROW

NAME = "hold"
DEFAULT_SYSTEMS = ("log", "row", "pgmq", "pgq")
COMPANIONS = ("snapshot", "pg_dump", "writer")
WINDOW_SECONDS = 10.0
FEWEST_WINDOWS = 3
REST_SECONDS = 10.0
MIB = 1024 * 1024
HELD, CONTROL = "held", "control"


def run(plan: Plan) -> list[Sample]:
    """Round by round, system by system; each time a pair of fresh servers."""
    companions = plan.option("companion", "snapshot").split(",")
    unknown = sorted(set(companions) - set(COMPANIONS))
    if unknown:
        raise SystemExit(f"{', '.join(unknown)} is no companion: {', '.join(COMPANIONS)}")
    names = [name for name in DEFAULT_SYSTEMS if name in plan.systems]
    reason = pgq.missing() if "pgq" in names else ""
    window, windows = divide(plan.seconds)
    samples = []
    with Steps(NAME, plan.rounds * len(companions) * len(names) * 2 * (windows + 2)) as steps:
        if reason:
            steps.say(f"pgq is left out: {reason}")
            names.remove("pgq")
        for companion in companions:
            for number, name in rounds_of(plan, names):
                pair = Pair(name, companion, plan.option("commit", "async"), window)
                samples.append(pair.measure(number, windows, steps))
    return samples


def divide(seconds: float) -> tuple[float, int]:
    """Return length and number of the windows; never fewer than three, none below a second."""
    window = min(WINDOW_SECONDS, max(1.0, seconds / FEWEST_WINDOWS))
    return window, max(FEWEST_WINDOWS, round(seconds / window))


class Pair:
    """One system on two servers."""

    def __init__(self, name: str, companion: str, commit: str, window: float) -> None:
        self._name = name
        self._companion = companion
        self._commit = commit
        self._window = window
        self._series: dict[str, list[float]] = defaultdict(list)

    def measure(self, number: int, windows: int, steps: Steps) -> Sample:
        """One window before the hold, then `windows` of them under it, then one after it."""
        with ExitStack() as stack:
            pair = {which: self._subject(stack) for which in (HELD, CONTROL)}
            server = pair[HELD].server
            if self._companion == "pg_dump":
                fill_ballast(server)
            self._turn(pair, 0, number, steps)
            with self._obstacle(server):
                for place in range(1, windows + 1):
                    self._turn(pair, place, number, steps)
            after = self._after(pair, number, steps)
        values = summary(self._series) | after
        case = f"{self._companion}, {self._commit}"
        return Sample(NAME, case, self._name, number, values, {"window_s": [self._window], **self._series})

    def _subject(self, stack: ExitStack) -> Subject:
        if self._name == "pgq":
            server = stack.enter_context(own_server(pgq.BIN_DIR))
            return stack.enter_context(PgqSubject(server))
        system = {"log": LOG, "row": ROW, "pgmq": PGMQ}[self._name]
        return stack.enter_context(QueueSubject(stack.enter_context(own_server()), system))

    def _obstacle(self, server: Server) -> AbstractContextManager[None]:
        obstacles: dict[str, Callable[[], AbstractContextManager[None]]] = {
            "snapshot": lambda: held_snapshot(server),
            "writer": lambda: long_writer(server),
            "pg_dump": lambda: slow_dump(server, server.pgbench.parent),
        }
        return obstacles[self._companion]()

    def _turn(self, pair: dict[str, Subject], place: int, number: int, steps: Steps) -> None:
        """One window of each; who goes first changes."""
        for which in turned((HELD, CONTROL), place):
            steps.step(f"round {number}, {self._companion}, {self._name} {which}, window {place}")
            found = pair[which].window(self._window, self._commit)
            for name, value in found.items():
                self._series[f"{which}_{name}"].append(value)
            heap, index = pair[which].sizes()
            self._series[f"{which}_heap_mib"].append(heap / MIB)
            self._series[f"{which}_index_mib"].append(index / MIB)

    def _after(self, pair: dict[str, Subject], number: int, steps: Steps) -> dict[str, float]:
        """Sizes and rate of the held server after the release, a rest and a vacuum."""
        steps.step(f"round {number}, {self._companion}, {self._name}, after the release")
        held = pair[HELD]
        rest = min(REST_SECONDS, self._window)
        with held.beside() if self._window >= WINDOW_SECONDS else nullcontext():
            time.sleep(rest)
        held.vacuum()
        heap, index = held.sizes()
        values = {"released_heap_mib": heap / MIB, "released_index_mib": index / MIB}
        steps.step(f"round {number}, {self._companion}, {self._name}, one more window")
        return values | {"released_rate": held.window(self._window, self._commit)["rate"]}


def summary(series: dict[str, list[float]]) -> dict[str, float]:
    """What the windows come to. Window 0 is before the hold; "late" is the last third of the windows under it."""
    held, control = series["held_rate"], series["control_rate"]
    late = max(1, (len(held) - 1) // 3)
    ratios = [above / below for above, below in zip(held, control, strict=True)]
    return {
        "rate": statistics.mean(held[-late:]),
        "control_rate": statistics.mean(control[-late:]),
        "last_over_first": held[-1] / held[0],
        "control_last_over_first": control[-1] / control[0],
        "last_over_control": ratios[-1],
        "over_control": statistics.median(ratios[1:]),
        "late_over_control": statistics.median(ratios[-late:]),
        "worst_over_control": min(ratios[1:]),
        "server_cpu_us": statistics.mean(series["held_server_cpu_us"][-late:] or [0.0]),
        "control_cpu_us": statistics.mean(series["control_server_cpu_us"][-late:] or [0.0]),
        "heap_mib": series["held_heap_mib"][-1],
        "index_mib": series["held_index_mib"][-1],
        "control_heap_mib": series["control_heap_mib"][-1],
        "control_index_mib": series["control_index_mib"][-1],
    }
