"""`pgqueue embedded start|status|dsn|stop` as processes."""

from __future__ import annotations

import subprocess
from pathlib import Path

import psycopg
import pytest

from pgqueue.db import embedded
from tests_integration.embedded.programs import World, cli, cli_json
from tests_integration.fixtures.waiting import eventually


def test_a_server_is_started_looked_at_used_and_stopped(world: World) -> None:
    assert cli_json("status")["running"] is False
    started = cli_json("start")
    seen = cli_json("status")
    assert started.pop("dsn") == cli_json("dsn")["dsn"]
    assert seen == started | {"holders": 0}
    assert seen["running"] is True
    assert seen["kept"] is True
    assert seen["version"] == embedded.find_binaries().version
    assert seen["data_dir"] == str(world.home / "data")
    assert seen["size_bytes"] > 1_000_000
    assert cli_json("stop") == {"stopped": True}
    assert cli_json("stop") == {"stopped": False}
    assert cli_json("status")["running"] is False


def test_text_output_tells_the_same(world: World) -> None:
    assert "runs in" in cli("start").stdout
    assert "running     yes" in cli("status").stdout
    assert cli("stop").stdout == "Stopped.\n"
    assert cli("stop").stdout == "It wasn't running.\n"


def test_the_printed_dsn_serves_psql_and_holds_no_password(world: World) -> None:
    done = cli("dsn", "--database", "my shop", PGQUEUE_EMBEDDED_IDLE_SECONDS="60")
    assert (done.returncode, done.stderr) == (0, "")
    target = done.stdout.strip()
    psql = embedded.find_binaries().tool("psql")
    asked = subprocess.run(
        [psql, "-XAtc", "select current_database()", target], capture_output=True, text=True, check=True
    )
    assert asked.stdout == "my shop\n"
    password = (world.home / "pgpass").read_text().strip().split(":")[-1]
    assert password not in target
    assert "password" not in target


def test_consecutive_commands_meet_the_same_server(world: World) -> None:
    pids = []
    for _ in range(3):
        assert cli("dsn", PGQUEUE_EMBEDDED_IDLE_SECONDS="60").returncode == 0
        pids.append(cli_json("status")["pid"])
    assert len(set(pids)) == 1


def test_a_directory_of_choice_is_used(world: World, directory: Path) -> None:
    chosen = directory / "chosen one"
    started = cli_json("start", "--directory", str(chosen))
    assert started["data_dir"].startswith(str(chosen))
    assert not world.state.exists()
    with psycopg.connect(started["dsn"]) as connection:
        assert connection.execute("select 1").fetchone() == (1,)
    assert cli_json("stop", "--directory", str(chosen)) == {"stopped": True}


def test_the_server_is_gone_a_moment_after_a_lone_dsn(world: World) -> None:
    assert cli("dsn").returncode == 0
    eventually(lambda: not embedded.status().running, 10)


@pytest.mark.parametrize(
    ("environ", "code", "said"),
    [
        ({"PGQUEUE_PG_BIN": "/nonexistent"}, 3, "no program `postgres` in /nonexistent"),
        ({"PGQUEUE_EMBEDDED_IDLE_SECONDS": "soon"}, 3, "PGQUEUE_EMBEDDED_IDLE_SECONDS is 'soon'"),
        ({"PGQUEUE_EMBEDDED_DIR": "/proc/nothing"}, 3, "no directory for the embedded Postgres"),
    ],
)
def test_what_cannot_run_ends_with_a_code_and_a_cure(
    world: World, environ: dict[str, str], code: int, said: str
) -> None:
    done = cli("dsn", **environ)
    assert (done.returncode, done.stdout) == (code, "")
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_wrong_words_end_with_the_code_of_usage(world: World) -> None:
    assert cli("dance").returncode == 2
    assert cli("start", "--loud").returncode == 2
