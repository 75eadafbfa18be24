"""The numbers to reach: each bar, how it is computed from the samples, and whether it is met."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from benchmarks.ratios import NOTHING, Point, Results, Spread
from benchmarks.tables import Row, Table

KINDS = ("log", "row")
WORKER = "noop handlers, concurrency 100"
PYTHON_PEERS = ("pgqueuer", "procrastinate", "chancy", "awa", "celery")
Compute = Callable[[Results, str], Spread | None]


@dataclass(frozen=True, slots=True)
class Bar:
    """One number to reach. `compute` takes the samples of `part` and the kind of queue.

    `goal` is the least that is asked for, or with `at_most` the most.
    """

    what: str
    part: str
    goal: float
    compute: Compute
    at_most: bool = False
    unit: str = "x"

    def met(self, found: Spread) -> bool:
        return found.median <= self.goal if self.at_most else found.median >= self.goal


def over(case: str, below: str, value: str = "rate") -> Compute:
    return lambda results, kind: results.ratio(Point(case, kind), Point(case, below), value)


def default_over_default(case: str) -> Compute:
    """Ours asynchronous over pgmq synchronous: not like for like, and labelled so."""
    return lambda results, kind: results.ratio(Point(f"{case}, async", kind), Point(f"{case}, sync", "pgmq"))


def figure(case: str, value: str) -> Compute:
    return lambda results, kind: results.spread(Point(case, kind), value)


def worker_over(rival: str) -> Compute:
    return lambda results, kind: results.ratio(Point(WORKER, f"{kind}_async"), Point(WORKER, rival))


def batch_worker(results: Results, kind: str) -> Spread | None:
    return results.spread(Point(WORKER, f"{kind}_batch"), "rate")


def best_peer(results: Results, kind: str) -> Spread | None:
    """The fastest of the Python peers decides."""
    found = [worker_over(peer)(results, kind) for peer in PYTHON_PEERS]
    known = [spread for spread in found if spread is not None]
    return min(known, key=lambda spread: spread.median) if known else None


def ways_over(case: str, above: str, below: str) -> Compute:
    return lambda results, kind: results.ratio(Point(case, f"{kind} {above}"), Point(case, f"{kind} {below}"))


def flat(case: str) -> Compute:
    return figure(case, "times_base")


def _engine() -> list[Bar]:
    found = [
        Bar("send, 8 clients, against pgmq", "engine", 1.5, over("send 1, 8 clients, sync", "pgmq")),
        Bar(
            "send, 8 clients, against a bare INSERT", "engine", 0.8, over("send 1, 8 clients, sync", "floor")
        ),
        Bar("send_batch 100 against pgmq", "engine", 1.1, over("send_batch 100, 1 client, sync", "pgmq")),
        Bar(
            "send_batch 100 against a multi-row INSERT",
            "engine",
            0.65,
            over("send_batch 100, 1 client, sync", "floor"),
        ),
    ]
    for qty, like, defaults in ((1, 1.7, 3.0), (10, 2.5, 4.5), (100, 6.0, 9.0)):
        cell = f"read {qty}, 4 clients"
        found += [
            Bar(f"{cell}, both {commit}, against pgmq", "engine", like, over(f"{cell}, {commit}", "pgmq"))
            for commit in ("sync", "async")
        ]
        found.append(
            Bar(
                f"{cell}: our default (async) against pgmq's (sync)",
                "engine",
                defaults,
                default_over_default(cell),
            )
        )
    return found


def _depth() -> list[Bar]:
    shapes = ("3M ready", "200k in flight in front", "1M delayed in front", "200k expired in front")
    return [
        Bar(
            f"read {qty}, {shape}, against 1k ready", "depth", 1.5, flat(f"read {qty}, {shape}"), at_most=True
        )
        for shape in shapes
        for qty in (1, 10)
    ] + [Bar("looking at the depth at 3M against 10", "depth", 1.5, flat("count, 3M ready"), at_most=True)]


def _hold() -> list[Bar]:
    case = "snapshot, async"
    return [
        Bar(
            "a held snapshot: last third against the control", "hold", 0.9, figure(case, "late_over_control")
        ),
        Bar("a held snapshot: against PgQ", "hold", 0.8, over(case, "pgq")),
    ]


def _client() -> list[Bar]:
    return [
        Bar("WAL through a life", "wal", 450, figure("batches of 100", "wal_bytes"), at_most=True, unit=" B"),
        Bar("send_many against a jsonb[] parameter", "send", 3.0, over("batches of 1000", "pgmq")),
        Bar("consume against the best Python peer", "worker", 4.0, best_peer),
        Bar("consume against the bare pgmq loop", "worker", 1.3, worker_over("pgmq_loop")),
        Bar("consume with batch handlers", "worker", 60_000, batch_worker, unit="/s"),
    ]


def _wake() -> list[Bar]:
    found = [
        Bar(f"{case}, wake-ups on / off", "wake", 0.8, ways_over(case, "on", "off"))
        for case in ("64 producers, nobody waits", "64 producers, a worker waits")
    ]
    latencies = (
        ("direct", "p50", 2.0),
        ("direct", "p99", 10.0),
        ("sender through PgBouncer", "p50", 10.0),
        # Half the idle poll of 2 s.
        ("worker through PgBouncer only", "p50", 1000.0),
    )
    for case, name, goal in latencies:
        value = figure(f"latency, {case}", f"{name}_ms")
        found.append(Bar(f"commit to handler, {case}, {name}", "wake", goal, value, at_most=True, unit=" ms"))
    return found


def _barrier() -> list[Bar]:
    case = "100,000 parts, 4 clients, batches of 100"
    return [
        Bar("parts of a barrier against plain messages", "barrier", 0.5, ways_over(case, "barrier", "plain"))
    ]


BARS = (*_engine(), *_depth(), *_hold(), *_client(), *_wake(), *_barrier())


def bar_table(results: Mapping[str, Results]) -> Table:
    """All bars that the samples say something about, for both kinds of queue."""
    rows: list[Row] = []
    for bar in BARS:
        if bar.part in results:
            found = [bar.compute(results[bar.part], kind) for kind in KINDS]
            if any(found):
                sign = "≤" if bar.at_most else "≥"
                rows.append(
                    (bar.what, f"{sign} {bar.goal:g}{bar.unit}", *(_cell(bar, each) for each in found))
                )
    return Table("Numbers to reach: median (least..most)", ("", "bar", *KINDS), rows)


def _cell(bar: Bar, found: Spread | None) -> str:
    if found is None:
        return NOTHING
    return f"{found.text()} {'met' if bar.met(found) else 'MISSED'}"
