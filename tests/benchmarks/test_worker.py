"""A worker's figures are those of the messages that its handlers had; every contender can be named and compared."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from benchmarks import cpu
from benchmarks.bars import WORKER, batch_worker, best_peer
from benchmarks.clients import tally
from benchmarks.parts import memory, trial, worker
from benchmarks.parts.contenders import NOOP, ONE_MS, Cell, Consume, Peer, Worker, workers
from benchmarks.parts.memory import Memory
from benchmarks.parts.trial import Trial
from benchmarks.plan import Plan, Steps
from benchmarks.processes import ROOT
from benchmarks.ratios import Results
from benchmarks.reports import worker as report
from benchmarks.sample import Sample

CELL = Cell(NOOP, "100")
PLAN = Plan(1, 1.0, worker.KNOWN)


class Faulty(Worker):
    """Once started it says that it handled `handled` messages, then `late` more, and leaves `leftover` in its queue."""

    name = "faulty"

    def __init__(self, handled: int, leftover: int = 0, late: int = 0) -> None:
        self.handled = handled
        self.late = late
        self.leftover = leftover
        self.waiting = 0

    def fill(self, server: Any, connection: Any, count: int) -> None:  # noqa: ARG002
        self.waiting = count

    def left(self, server: Any, connection: Any) -> int:  # noqa: ARG002
        return self.waiting

    def argv(self, server: Any, cell: Cell) -> list[str]:  # noqa: ARG002
        self.waiting = self.leftover
        return ["faulty", str(self.handled), str(self.late)]


class NoMeter:
    def __init__(self, connection: object) -> None: ...

    def cpu(self) -> float:
        return 0.0

    def cpu_us(self, *_: object) -> dict[str, float]:
        return {"server_cpu_us": 5.0}


@pytest.fixture
def staged(monkeypatch: pytest.MonkeyPatch) -> Trial:
    """A trial without a database and without processes, for a worker of class Faulty."""
    said: dict[str, float] = {}

    @contextmanager
    def run(argv: list[str], environment: dict[str, str]) -> Iterator[Any]:
        handled = int(argv[1])
        said.update({"messages": handled, "timed": handled - 1, "seconds": 0.5, "cpu": 0.1})
        yield SimpleNamespace(pid=os.getpid())
        Path(environment[tally.REPORT]).write_text(json.dumps({"messages": handled + int(argv[2])}))

    monkeypatch.setattr(trial, "Meter", NoMeter)
    monkeypatch.setattr(trial, "running", run)
    monkeypatch.setattr(trial, "wait_for_file", lambda *_: True)
    monkeypatch.setattr(trial, "wait_for_report", lambda *_: said)
    return Trial(None, None, CELL)  # type: ignore[arg-type]


def results(**rates: float) -> Results:
    samples = [Sample("worker", WORKER, name, 1, {"rate": rate}) for name, rate in rates.items()]
    return Results(samples, worker.KNOWN)


def count_to(expected: int, folder: Path, monkeypatch: pytest.MonkeyPatch, *, by: int) -> dict[str, Any]:
    monkeypatch.setenv(tally.EXPECTED, str(expected))
    monkeypatch.setenv(tally.REPORT, str(folder / "report.json"))
    monkeypatch.delenv(tally.SUPERVISED, raising=False)
    counted = tally.Tally()
    for _ in range(expected // by):
        counted.hit(by)
    return dict(json.loads((folder / "report.json").read_text()))


def test_the_messages_of_the_first_call_are_not_timed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = count_to(200, tmp_path, monkeypatch, by=100)
    assert (said["messages"], said["timed"]) == (200, 100)


def test_the_first_call_leaves_a_mark(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not tally.begun(tmp_path / "report.json").exists()
    count_to(1, tmp_path, monkeypatch, by=1)
    assert tally.begun(tmp_path / "report.json").exists()


def test_a_supervisor_is_on_the_bill(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seconds = iter([10.0, 13.0])
    monkeypatch.setattr(tally, "seconds_of", lambda pid: next(seconds) if pid == os.getppid() else 0.0)
    monkeypatch.setattr("benchmarks.clients.tally.time.process_time", lambda: 1.0)
    monkeypatch.setenv(tally.EXPECTED, "2")
    monkeypatch.setenv(tally.REPORT, str(tmp_path / "report.json"))
    monkeypatch.setenv(tally.SUPERVISED, "1")
    counted = tally.Tally()
    counted.hit()
    counted.hit()
    assert json.loads((tmp_path / "report.json").read_text())["cpu"] == 3.0


def test_figures_are_those_of_the_timed_messages(staged: Trial) -> None:
    found = staged.measure(Faulty(101), 101)
    assert found == {"rate": 200.0, "client_cpu_us": 1000.0, "server_cpu_us": 5.0}


@pytest.mark.parametrize(
    "faulty",
    [Faulty(100), Faulty(102), Faulty(101, leftover=1), Faulty(101, late=1)],
    ids=["few", "many", "left", "late"],
)
def test_too_few_too_many_left_or_late_messages_void_a_trial(staged: Trial, faulty: Faulty) -> None:
    with pytest.raises(SystemExit, match="void"):
        staged.measure(faulty, 101)


def test_a_probe_grows_until_it_says_something(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def measure(staged: object, each: object, count: int, steps: object) -> dict[str, float]:
        asked.append(count)
        return {"rate": rate}

    monkeypatch.setattr(worker, "measured", measure)
    for rate, counts in ((100.0, [200]), (3_000.0, [200, 2_000]), (50_000.0, [200, 2_000, 20_000])):
        asked.clear()
        assert worker._probe(None, None, None) == rate  # type: ignore[arg-type]
        assert asked == counts


def test_a_peer_that_fails_costs_its_sample_and_one_of_ours_the_run(
    staged: Trial, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with Steps("worker", 1) as steps:
        with pytest.raises(SystemExit):
            worker.measured(staged, Faulty(99), 100, steps)
        monkeypatch.setattr(worker, "Peer", Faulty)
        assert worker.measured(staged, Faulty(99), 100, steps) == {}
        assert worker.measured(staged, Faulty(100), 100, steps)["rate"] == 198
    assert "a sample of faulty is left out: faulty: 99 of 100" in capsys.readouterr().err.replace("\n", "")


def test_what_a_worker_runs_beside_the_database_counts_as_its_server(
    staged: Trial, monkeypatch: pytest.MonkeyPatch
) -> None:
    seconds = iter([0.0, 1.0, 1.0 + 100e-6])  # before the start, at the first message, at the end
    monkeypatch.setattr(Faulty, "beside_seconds", lambda _: next(seconds))
    assert staged.measure(Faulty(100), 100)["server_cpu_us"] == pytest.approx(6.0)


def test_a_short_run_has_one_cell_and_a_full_one_all() -> None:
    assert worker.cells(PLAN) == [CELL]
    full = worker.cells(PLAN.but(full=True))
    assert len(full) == 6
    assert {cell.case for cell in full} >= {WORKER, "1 ms handlers, concurrency 1"}
    assert worker.cells(PLAN.but(options={"handler": "1ms", "concurrency": "3"})) == [Cell(ONE_MS, "3")]


@pytest.mark.parametrize("options", [{"handler": "2ms"}, {"concurrency": "0"}, {"concurrency": "1,many"}])
def test_a_cell_that_does_not_exist_is_refused(options: dict[str, str]) -> None:
    with pytest.raises(SystemExit, match="is no"):
        worker.cells(PLAN.but(options=options))


def test_every_peer_has_a_program() -> None:
    peers = [each.name for each in workers() if isinstance(each, Peer)]
    assert len(peers) == 6
    for name in peers:
        assert (ROOT / "benchmarks" / "clients" / f"{name}_worker.py").is_file()


@pytest.mark.parametrize(("name", "program"), [("graphile", "nodejs"), ("celery", "redis-server")])
def test_a_peer_whose_program_is_missing_names_the_cure(
    name: str, program: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.which", lambda _: None)
    monkeypatch.setattr("importlib.util.find_spec", lambda _: object())
    peer = next(each for each in workers() if each.name == name)
    assert f"apt-get install {program}" in peer.missing()


def test_a_handler_of_batches_is_only_in_cells_without_work() -> None:
    batch = next(each for each in workers() if each.name == "log_batch")
    assert batch.takes(CELL)
    assert batch not in worker.fitting(Cell(ONE_MS, "100"), [batch])


def test_a_table_has_a_row_a_worker_and_a_column_a_cell() -> None:
    found = report.tables(results(log_async=300.0, pgqueuer=100.0))
    rates = next(table for table in found if table.title.startswith("Messages a second"))
    assert rates.header == ("", "noop 100")
    assert rates.rows == [("log_async", "300"), ("pgqueuer", "100")]
    against = next(table for table in found if table.title.startswith("Rate of log_async"))
    assert against.rows == [("pgqueuer", "3.00")]


def test_cells_stand_in_one_order_whenever_they_were_measured() -> None:
    cells = [Cell(ONE_MS, "100"), Cell(NOOP, "10"), Cell(NOOP, "1"), Cell(ONE_MS, "1"), Cell(NOOP, "100")]
    samples = [Sample("worker", cell.case, "log_async", 1, {"rate": 1.0}) for cell in cells]
    header = report.tables(Results(samples))[0].header
    assert header == ("", "noop 1", "noop 10", "noop 100", "1 ms 1", "1 ms 100")


def test_memory_has_a_table_and_a_chart_of_its_own() -> None:
    values = {"rate": 100.0} | memory.summary([50.0, 60.0, 61.0])
    sample = Sample(
        "worker", "memory over 1,000 messages", "log_async", 1, values, {"held_mib": [50.0, 60.0, 61.0]}
    )
    found = Results([sample])
    tables = [table for table in report.tables(found) if table.rows]
    assert [table.rows for table in tables] == [
        [("memory over 1,000 messages, log_async", "100", "50", "50", "61", "61", "1.22")]
    ]
    (chart,) = report.charts(found)
    assert chart.title.startswith("Memory")


def test_memory_is_compared_with_what_was_held_after_a_tenth() -> None:
    found = memory.summary([10.0, *[40.0] * 18, 44.0])
    assert (found["first_mib"], found["tenth_mib"], found["last_mib"], found["most_mib"]) == (10, 40, 44, 44)
    assert found["last_over_tenth"] == pytest.approx(1.1)
    assert memory.summary([]) == {}


def test_memory_is_that_of_the_default_worker_unless_only_ours_are_asked_for() -> None:
    assert [each.name for each in memory.chosen(workers())] == [memory.DEFAULT]
    ours = [each for each in workers() if isinstance(each, Consume)]
    assert memory.chosen(ours[:2]) == ours[:2]
    assert memory.messages(PLAN) == 0
    with pytest.raises(SystemExit, match="no number"):
        memory.messages(PLAN.but(options={"memory": "1M"}))


def test_memory_is_noted_at_the_first_and_at_the_last_message(tmp_path: Path) -> None:
    seen = Memory()
    tally.begun(tmp_path / "report.json").touch()
    with seen.watch(os.getpid(), tmp_path / "report.json"):
        pass
    assert seen.mib
    assert min(seen.mib) > 1


def test_memory_of_a_process_is_that_of_its_family(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for pid, parent, pages in ((7, 1, 10), (8, 7, 20), (9, 8, 40), (10, 1, 80)):
        (tmp_path / str(pid)).mkdir()
        (tmp_path / str(pid) / "stat").write_text(f"{pid} (a (b) c) S {parent} 0")
        (tmp_path / str(pid) / "statm").write_text(f"999 {pages} 0")
    monkeypatch.setattr(cpu, "PROC", tmp_path)
    assert cpu.resident_bytes(7) == 70 * os.sysconf("SC_PAGE_SIZE")
    assert cpu.resident_bytes(11) == 0


def test_the_fastest_python_peer_decides() -> None:
    found = best_peer(results(log_async=300.0, pgqueuer=100.0, chancy=150.0, graphile=900.0), "log")
    assert found is not None
    assert found.median == 2


def test_the_bar_of_batch_handlers_is_a_rate() -> None:
    found = batch_worker(results(log_batch=70_000.0), "log")
    assert found is not None
    assert found.median == 70_000
    assert batch_worker(results(log_batch=70_000.0), "row") is None
