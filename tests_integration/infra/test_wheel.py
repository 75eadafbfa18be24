"""What is shipped is complete: the wheel alone can bring up a database."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import psycopg
import pytest

from tests_integration.fixtures.database import Database

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel and unpack it, which is what an install does with it."""
    built, unpacked = tmp_path_factory.mktemp("dist"), tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(built), str(ROOT)]
    subprocess.run(command, check=True, capture_output=True)
    (wheel,) = built.glob("pgqueue_engine-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(unpacked)
    return unpacked


def test_wheel_holds_every_sql_file_and_the_type_marker(unpacked: Path) -> None:
    shipped = {
        path.relative_to(unpacked / "pgqueue" / "_sql")
        for path in (unpacked / "pgqueue" / "_sql").rglob("*.sql")
    }
    assert shipped == {path.relative_to(ROOT / "sql") for path in (ROOT / "sql").rglob("*.sql")}
    assert (unpacked / "pgqueue" / "py.typed").exists()


@pytest.mark.parametrize("name", ["stdlib_census", "orchestration"])
def test_wheel_holds_the_examples_that_the_demo_runs(unpacked: Path, name: str) -> None:
    example = ROOT / "examples" / name
    shipped = unpacked / "pgqueue" / "_examples" / name
    names = {path.name for path in example.iterdir() if path.is_file()}
    assert {path.name for path in shipped.iterdir()} == names


def test_wheel_holds_only_the_package(unpacked: Path) -> None:
    top = {path.name for path in unpacked.iterdir()}
    assert {name for name in top if not name.endswith(".dist-info")} == {"pgqueue"}


def test_migrate_from_the_wheel_makes_a_working_schema(unpacked: Path, empty_database: Database) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pgqueue", "migrate", "--dsn", empty_database.conninfo],
        cwd=unpacked,
        env=os.environ | {"PYTHONPATH": str(unpacked), "PYTHONSAFEPATH": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    with psycopg.connect(empty_database.conninfo) as connection:
        connection.execute("select pgqueue.create_queue('orders')")
        sent = connection.execute("select pgqueue.send('orders', '{}')").fetchone()
    assert sent == (1,)
