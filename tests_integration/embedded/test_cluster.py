"""One data directory: what start, stop and kill promise."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import psycopg
import pytest

from pgqueue.db.embedded import Cluster
from pgqueue.db.embedded.postmaster import read_postmaster
from pgqueue.errors import ConfigurationError, Unavailable
from tests_integration.fixtures.servers import other_servers

OTHERS = other_servers()
OTHER, OTHER_PROGRAMS = next(iter(OTHERS.items()))
QUICK = {"fsync": "off"}


def ask(conninfo: str, query: str) -> object:
    with psycopg.connect(conninfo, autocommit=True) as connection:
        row = connection.execute(query).fetchone()
    assert row is not None
    return row[0]


def test_a_start_from_nothing_serves_and_keeps_fsync_on(directory: Path) -> None:
    cluster = Cluster(directory / "pg")
    assert cluster.start() is True
    assert cluster.running()
    assert ask(cluster.conninfo(), "show fsync") == "on"
    assert ask(cluster.conninfo(), "select current_user") == "pgqueue"
    assert ask(cluster.conninfo(), "show data_checksums") == "on"


def test_a_warm_start_keeps_the_data(directory: Path) -> None:
    cluster = Cluster(directory / "pg", options=QUICK)
    cluster.start()
    assert cluster.create_database("my app") is True
    with psycopg.connect(cluster.conninfo("my app")) as connection:
        connection.execute("create table kept as select 7 as n")
    assert cluster.stop() is True
    assert not cluster.running()
    assert cluster.start() is True
    assert ask(cluster.conninfo("my app"), "select n from kept") == 7


def test_every_verb_is_harmless_when_there_is_nothing_left_to_do(directory: Path) -> None:
    cluster = Cluster(directory / "pg", options=QUICK)
    assert cluster.stop() is False
    cluster.kill()
    cluster.start()
    assert cluster.start() is False
    assert cluster.create_database("app") is True
    assert cluster.create_database("app") is False
    assert cluster.stop() is True
    assert cluster.stop() is False


def test_spaces_and_quotes_in_the_path_are_fine(directory: Path) -> None:
    cluster = Cluster(directory / "it's my data, (really)" / "pg", options=QUICK, listen=True)
    cluster.start()
    assert ask(cluster.conninfo(), "select 1") == 1
    assert ask(cluster.conninfo(tcp=True), "select 1") == 1


def test_a_path_too_long_for_a_socket_gets_a_short_private_one(directory: Path) -> None:
    cluster = Cluster(directory / ("long" * 30), options=QUICK)
    cluster.start()
    assert ask(cluster.conninfo(), "select 1") == 1
    where = cluster.socket_dir
    assert len(str(where)) < 60
    assert stat.S_IMODE(where.stat().st_mode) == 0o700
    cluster.stop()
    assert not where.exists()


def test_tcp_is_closed_unless_asked_for(directory: Path) -> None:
    cluster = Cluster(directory / "pg", options=QUICK)
    cluster.start()
    assert ask(cluster.conninfo(), "show listen_addresses") == ""
    with pytest.raises(ConfigurationError, match="no TCP port"):
        cluster.conninfo(tcp=True)


def test_a_listening_server_asks_for_the_password_and_keeps_its_port(directory: Path) -> None:
    cluster = Cluster(directory / "pg", options=QUICK, listen=True)
    cluster.start()
    port = cluster.port
    with pytest.raises(psycopg.OperationalError, match="password"):
        psycopg.connect(f"host=127.0.0.1 port={port} user=pgqueue dbname=postgres passfile=/nonexistent")
    assert (
        ask(cluster.conninfo(tcp=True) + f" passfile=/nonexistent password={cluster.password}", "select 1")
        == 1
    )
    cluster.stop()
    cluster.start()
    assert cluster.port == port


def test_the_socket_asks_for_the_password_too(directory: Path) -> None:
    cluster = Cluster(directory / "pg", options=QUICK)
    cluster.start()
    with pytest.raises(psycopg.OperationalError, match="password"):
        psycopg.connect(cluster.conninfo() + " passfile=/nonexistent")


def test_five_racing_cold_starts_make_one_cluster(directory: Path) -> None:
    clusters = [Cluster(directory / "pg", options=QUICK) for _ in range(5)]
    with ThreadPoolExecutor(5) as threads:
        started = list(threads.map(Cluster.start, clusters))
    assert sorted(started) == [False, False, False, False, True]
    seen = {ask(each.conninfo(), "select system_identifier from pg_control_system()") for each in clusters}
    assert len(seen) == 1


@pytest.mark.parametrize("crash", [signal.SIGKILL, signal.SIGQUIT])
def test_a_killed_postmaster_is_started_again_with_its_data(directory: Path, crash: signal.Signals) -> None:
    cluster = Cluster(directory / "pg")
    cluster.start()
    with psycopg.connect(cluster.conninfo()) as connection:
        connection.execute("create table kept as select 7 as n")
    os.kill(cluster.postmaster().pid, crash)
    Cluster(directory / "pg").kill()
    assert not cluster.running()
    assert cluster.start() is True
    assert ask(cluster.conninfo(), "select n from kept") == 7


def test_a_start_waits_for_the_children_of_a_killed_postmaster(directory: Path) -> None:
    cluster = Cluster(directory / "pg", options=QUICK)
    cluster.start()
    with psycopg.connect(cluster.conninfo(), autocommit=True) as busy:
        child = busy.info.backend_pid
        os.kill(child, signal.SIGSTOP)
        try:
            cluster.kill()
            with ThreadPoolExecutor(1) as threads:
                starting = threads.submit(cluster.start)
                with pytest.raises(TimeoutError):
                    starting.result(timeout=0.15)
                os.kill(child, signal.SIGKILL)
                assert starting.result(timeout=30) is True
        finally:
            with suppress(ProcessLookupError):
                os.kill(child, signal.SIGCONT)
    assert ask(cluster.conninfo(), "select 1") == 1


@pytest.mark.parametrize("owner", ["init", "ourselves", "nobody"])
def test_a_stale_pid_file_stops_nobody_whoever_has_the_pid_now(directory: Path, owner: str) -> None:
    pid = {"init": 1, "ourselves": os.getpid(), "nobody": 2_000_000_000}[owner]
    cluster = Cluster(directory / "pg", options=QUICK)
    cluster.start()
    pid_file = cluster.home.data / "postmaster.pid"
    lines = pid_file.read_text().splitlines()
    cluster.kill()
    pid_file.write_text("\n".join([str(pid), *lines[1:]]) + "\n")
    assert not cluster.running()
    assert cluster.stop() is False
    assert cluster.start() is True
    assert ask(cluster.conninfo(), "select 1") == 1


def test_another_cluster_with_the_pid_of_a_stale_file_is_left_alone(directory: Path) -> None:
    other, cluster = Cluster(directory / "other", options=QUICK), Cluster(directory / "pg", options=QUICK)
    other.start()
    cluster.start()
    pid_file = cluster.home.data / "postmaster.pid"
    lines = pid_file.read_text().splitlines()
    cluster.kill()
    pid_file.write_text("\n".join([str(other.postmaster().pid), *lines[1:]]) + "\n")
    assert cluster.stop() is False
    cluster.start()
    assert other.running()
    assert other.port == cluster.port == 5432
    assert other.postmaster().pid != cluster.postmaster().pid


def test_a_server_that_cannot_be_seen_is_never_doubled(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two containers on one volume: the pid in the file means nothing, only the inherited lock does."""
    monkeypatch.setattr("pgqueue.db.embedded.cluster.SURVIVORS_SECONDS", 0.1)
    cluster = Cluster(directory / "pg", options=QUICK)
    cluster.start()
    pid_file = cluster.home.data / "postmaster.pid"
    true = pid_file.read_text()
    pid_file.write_text("\n".join(["2000000000", *true.splitlines()[1:]]) + "\n")
    with pytest.raises(Unavailable, match="can't be seen from here"):
        cluster.start()
    pid_file.write_text(true)
    assert ask(cluster.conninfo(), "select 1") == 1


def test_a_half_made_cluster_is_replaced(directory: Path) -> None:
    cluster = Cluster(directory / "pg", options=QUICK)
    half = cluster.home.half_made
    (half / "base").mkdir(parents=True)
    (half / "PG_VERSION").write_text("9.6\n")
    cluster.start()
    assert not half.exists()
    assert ask(cluster.conninfo(), "select 1") == 1


def test_a_foreign_locale_and_foreign_settings_do_not_get_through(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {
        "LANG": "de_DE.UTF-8",
        "LC_ALL": "xx_YY",
        "PGPORT": "1",
        "PGDATA": "/nonexistent",
        "PGOPTIONS": "-c nonsense=1",
        "TZ": "Mars/Olympus",
    }.items():
        monkeypatch.setenv(name, value)
    cluster = Cluster(directory / "pg", options=QUICK)
    cluster.start()
    monkeypatch.delenv("PGOPTIONS")
    assert ask(cluster.conninfo(), "show timezone") == "UTC"
    assert ask(cluster.conninfo(), "show server_encoding") == "UTF8"
    assert ask(cluster.conninfo(), "select min(c) from unnest(array['a', 'B', 'ä']) c") == "B"


@pytest.mark.parametrize("tcp", [False, True])
def test_a_password_meant_for_another_server_is_passed_over(
    directory: Path, monkeypatch: pytest.MonkeyPatch, *, tcp: bool
) -> None:
    cluster = Cluster(directory / "pg", options=QUICK, listen=tcp)
    cluster.start()
    monkeypatch.setenv("PGPASSWORD", "of another server")
    assert ask(cluster.conninfo(tcp=tcp), "select 1") == 1


def test_home_may_be_unset(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HOME", raising=False)
    cluster = Cluster(directory / "pg", options=QUICK)
    assert cluster.start() is True


def test_settings_reach_the_server_as_they_are(directory: Path) -> None:
    options = QUICK | {"max_connections": "33", "cluster_name": 'it\'s $HOME "here"'}
    cluster = Cluster(directory / "pg", options=options)
    cluster.start()
    assert ask(cluster.conninfo(), "show max_connections") == "33"
    assert ask(cluster.conninfo(), "show cluster_name") == 'it\'s $HOME "here"'


def test_a_setting_that_the_server_refuses_is_quoted_in_the_error(directory: Path) -> None:
    cluster = Cluster(directory / "pg", options=QUICK | {"max_connections": "many"})
    with pytest.raises(Unavailable, match='invalid value for parameter "max_connections"'):
        cluster.start()


@pytest.mark.parametrize("major", OTHERS)
def test_it_runs_on_other_versions_of_postgres(directory: Path, major: int) -> None:
    cluster = Cluster(directory / "pg", binaries=OTHERS[major], options=QUICK | {"max_connections": "200"})
    cluster.start()
    assert str(ask(cluster.conninfo(), "show server_version")).startswith(f"{major}.")
    assert ask(cluster.conninfo(), "show max_connections") == "200"
    cluster.kill()
    assert cluster.start() is True


def test_data_of_another_major_version_is_refused_untouched(directory: Path) -> None:
    Cluster(directory / "pg", binaries=OTHER_PROGRAMS, options=QUICK).start()
    Cluster(directory / "pg", binaries=OTHER_PROGRAMS).stop()
    with pytest.raises(ConfigurationError, match=rf"made by Postgres {OTHER}, the programs are"):
        Cluster(directory / "pg").start()
    assert Cluster(directory / "pg", binaries=OTHER_PROGRAMS).start() is True


def test_a_lost_password_file_is_named(directory: Path) -> None:
    cluster = Cluster(directory / "pg", options=QUICK)
    cluster.start()
    cluster.stop()
    cluster.home.passfile.unlink()
    with pytest.raises(ConfigurationError, match=r"pgpass is missing"):
        cluster.start()


def test_the_server_inherits_no_lock_of_the_starter(directory: Path) -> None:
    cluster = Cluster(directory / "pg", options=QUICK)
    cluster.start()
    server = read_postmaster(cluster.home.data)
    assert server is not None
    opened = {os.path.realpath(link) for link in Path(f"/proc/{server.pid}/fd").iterdir()}
    ours = {path for path in opened if path.startswith(str(directory)) and path.endswith("lock")}
    assert ours == {str(cluster.home.server_lock)}


def test_the_tools_of_the_wheel_find_their_libraries(directory: Path) -> None:
    done = subprocess.run(
        [Cluster(directory / "pg").bin_dir / "pg_dump", "--version"], capture_output=True, check=True
    )
    assert b"pg_dump" in done.stdout
