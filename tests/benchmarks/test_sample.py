"""What a run wrote can be read again; what was measured anew replaces the old."""

from __future__ import annotations

from pathlib import Path

from benchmarks.sample import Run, Sample, read_folder, read_part, samples_of, write_part


def sample(case: str, system: str, rate: float) -> Sample:
    return Sample("engine", case, system, 1, {"rate": rate}, {"ms": [1.0, 2.0]})


def test_samples_survive_the_file(tmp_path: Path) -> None:
    path = tmp_path / "engine.json"
    write_part(path, Run({"at": "today"}, [sample("read", "log", 12.5)]))
    assert read_part(path) == [Run({"at": "today"}, [sample("read", "log", 12.5)])]
    assert read_folder(tmp_path).keys() == {"engine"}


def test_a_new_run_replaces_only_what_it_measured(tmp_path: Path) -> None:
    path = tmp_path / "engine.json"
    write_part(path, Run({"at": "first"}, [sample("read", "log", 1), sample("read", "pgmq", 2)]))
    write_part(path, Run({"at": "second"}, [sample("read", "log", 3)]))
    runs = read_part(path)
    assert [(s.system, s.values["rate"], s.run) for s in samples_of(runs)] == [("pgmq", 2, 0), ("log", 3, 1)]


def test_a_run_that_was_replaced_whole_is_gone(tmp_path: Path) -> None:
    path = tmp_path / "engine.json"
    write_part(path, Run({"at": "first"}, [sample("read", "log", 1)]))
    write_part(path, Run({"at": "second"}, [sample("read", "log", 2)]))
    assert [run.facts["at"] for run in read_part(path)] == ["second"]


def test_a_missing_file_holds_nothing(tmp_path: Path) -> None:
    assert read_part(tmp_path / "none.json") == []
