"""All parts, with what `make bench` and `make bench-full` ask of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from benchmarks.charts import BarChart, LineChart
from benchmarks.parts import barrier, contenders, depth, engine, hold, send, wake, wal, worker
from benchmarks.plan import Plan
from benchmarks.ratios import Results
from benchmarks.reports import barrier as barrier_report
from benchmarks.reports import depth as depth_report
from benchmarks.reports import engine as engine_report
from benchmarks.reports import hold as hold_report
from benchmarks.reports import send as send_report
from benchmarks.reports import wake as wake_report
from benchmarks.reports import wal as wal_report
from benchmarks.reports import worker as worker_report
from benchmarks.sample import Sample
from benchmarks.systems import SYSTEMS
from benchmarks.tables import Table


@dataclass(frozen=True, slots=True)
class Part:
    """One part: how to run it, and how its samples are shown.

    `short` and `full` are (rounds, seconds); `also` are (systems, options) of more runs at full size; `facts` are what
    a reader has to know beside the facts of every part.
    """

    name: str
    about: str
    run: Callable[[Plan], list[Sample]]
    tables: Callable[[Results], list[Table]]
    charts: Callable[[Results], list[BarChart | LineChart]]
    systems: tuple[str, ...]
    known: tuple[str, ...]
    short: tuple[int, float]
    full: tuple[int, float]
    options: dict[str, str] = field(default_factory=dict)
    also: tuple[tuple[tuple[str, ...], dict[str, str]], ...] = ()
    facts: Callable[[], dict[str, str]] = dict
    in_short: bool = True
    takes_dsn: bool = True

    @property
    def options_help(self) -> str:
        return "; ".join(f"{name}={what}" for name, what in self.options.items())

    def plan(self, *, full: bool) -> Plan:
        rounds, seconds = self.full if full else self.short
        return Plan(rounds, seconds, self.systems, full=full)

    def full_plans(self) -> list[Plan]:
        """What `make bench-full` runs, one plan after the other."""
        plan = self.plan(full=True)
        return [plan, *(plan.but(systems=systems, options=options) for systems, options in self.also)]


def facts_of(plan: Plan) -> dict[str, str]:
    """The options of a run, for its readers."""
    found = {
        "rounds": str(plan.rounds),
        "seconds a sample": f"{plan.seconds:g}",
        "systems": ", ".join(plan.systems),
        "sizes": "full" if plan.full else "short",
        "server": "given" if plan.dsn else "own, over 127.0.0.1",
    }
    return found | plan.options


PARTS = (
    Part(
        name="engine",
        about="Sends, and read with ack: rate, server CPU and WAL a message.",
        run=engine.run,
        tables=engine_report.tables,
        charts=engine_report.charts,
        systems=engine.DEFAULT_SYSTEMS,
        known=tuple(system.name for system in SYSTEMS),
        short=(2, 0.3),
        full=(3, 2.0),
        options={"groups": "some of send,send_batch,read"},
    ),
    Part(
        name="wal",
        about="WAL bytes of a message through its life.",
        run=wal.run,
        tables=wal_report.tables,
        charts=wal_report.charts,
        systems=wal.DEFAULT_SYSTEMS,
        known=wal.DEFAULT_SYSTEMS,
        short=(1, 1.0),
        full=(3, 1.0),
    ),
    Part(
        name="depth",
        about="One read at three depths and behind messages that can't be read; one look at the depth.",
        run=depth.run,
        tables=depth_report.tables,
        charts=depth_report.charts,
        systems=depth.DEFAULT_SYSTEMS,
        known=depth.DEFAULT_SYSTEMS,
        short=(1, 1.0),
        full=(3, 1.0),
        options={"shapes": "some of the shapes", "sweep": "yes or no: a sweep of ours runs beside"},
    ),
    Part(
        name="hold",
        about="Steady mixed load while a session holds a snapshot, dumps or writes, beside an undisturbed control.",
        run=hold.run,
        tables=hold_report.tables,
        charts=hold_report.charts,
        systems=hold.DEFAULT_SYSTEMS,
        known=hold.DEFAULT_SYSTEMS,
        short=(1, 3.0),
        full=(1, 180.0),
        also=((("log",), {"companion": "pg_dump,writer"}),),
        options={"companion": "some of snapshot,pg_dump,writer", "commit": "async (read and ack) or sync"},
        in_short=False,
        takes_dsn=False,
    ),
    Part(
        name="send",
        about="Sends from Python: send_many beside a jsonb[] parameter; COPY, which returns no ids, apart.",
        run=send.run,
        tables=send_report.tables,
        charts=send_report.charts,
        systems=send.DEFAULT_SYSTEMS,
        known=send.DEFAULT_SYSTEMS,
        short=(1, 0.5),
        full=(5, 3.0),
    ),
    Part(
        name="worker",
        about="One worker process with handlers that do nothing or sleep 1 ms; CPU on both sides; memory over a long queue.",
        run=worker.run,
        tables=worker_report.tables,
        charts=worker_report.charts,
        systems=worker.KNOWN,
        known=worker.KNOWN,
        short=(1, 0.5),
        full=(3, 2.0),
        also=((("log_async",), {"memory": "1000000"}),),
        facts=contenders.versions,
        options={
            "handler": "some of noop,1ms; default noop, with --full both",
            "concurrency": "one or more, default 100, with --full 1,10,100",
            "memory": "so many messages through ours alone, its memory sampled: memory=1000000",
        },
        in_short=False,
    ),
    Part(
        name="wake",
        about="Wake-ups: what they cost 64 producers, and how soon an idle worker starts on a message.",
        run=wake.run,
        tables=wake_report.tables,
        charts=wake_report.charts,
        systems=wake.DEFAULT_SYSTEMS,
        known=wake.DEFAULT_SYSTEMS,
        short=(1, 2.0),
        full=(3, 5.0),
        options={"only": "producers or latency", "sends": "default 300 (short 60)"},
        in_short=False,
        takes_dsn=False,
    ),
    Part(
        name="barrier",
        about="Messages as parts of one barrier beside the same messages without; 100 results of 1 MB.",
        run=barrier.run,
        tables=barrier_report.tables,
        charts=barrier_report.charts,
        systems=barrier.DEFAULT_SYSTEMS,
        known=barrier.DEFAULT_SYSTEMS,
        short=(1, 1.0),
        full=(5, 1.0),
        options={"parts": "default 100000 (short 5000)"},
        in_short=False,
    ),
)
