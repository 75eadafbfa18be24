"""One server for all processes of a user: started by the first, stopped after the last."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from pgqueue.db import embedded
from pgqueue.db.embedded import Cluster
from pgqueue.db.embedded.postmaster import read_postmaster
from pgqueue.errors import ConfigurationError
from tests_integration.embedded.programs import ROOT, Holder, World, cli, in_child
from tests_integration.fixtures.waiting import eventually

STARTS = "starting PostgreSQL"


def ask(conninfo: str, query: str) -> object:
    with psycopg.connect(conninfo, autocommit=True) as connection:
        row = connection.execute(query).fetchone()
    return row and row[0]


def running() -> bool:
    return embedded.status().running


def stopped() -> bool:
    return not embedded.status().running


def test_the_first_starts_it_the_next_join_it_and_each_says_so_once(world: World) -> None:
    first = world.holder()
    second = world.holder()
    assert first.dsn == second.dsn
    assert ask(first.dsn, "select current_database()") == "pgqueue"
    assert embedded.status().holders == 2
    said = [first.leave(), second.leave()]
    assert [text.count("\n") for text in said] == [1, 1]
    assert f"started the embedded Postgres 18.6 in {world.home}" in said[0]
    assert f"joined the embedded Postgres 18.6 in {world.home}" in said[1]
    assert first.dsn in said[0]


def test_a_process_hears_of_it_once_and_counts_once(world: World) -> None:
    def work() -> object:
        lines: list[str] = []
        targets = {embedded.ensure(announce=lines.append) for _ in range(3)}
        return [len(lines), len(targets), embedded.status().holders]

    assert in_child(os.geteuid(), os.getegid(), work) == [1, 1, 1]


def test_five_racing_cold_starts_share_one_server(world: World) -> None:
    holders = world.holders(5)
    assert len({holder.dsn for holder in holders}) == 1
    assert world.log().count(STARTS) == 1
    assert embedded.status().holders == 5
    assert len(world.reapers()) == 1


def test_it_stops_after_the_last_holder_and_keeps_the_data(world: World) -> None:
    first, second = world.holders(2)
    with psycopg.connect(first.dsn) as connection:
        connection.execute("create table kept as select 7 as n")
    first.leave()
    assert running()
    second.leave()
    eventually(stopped, 10)
    eventually(lambda: not world.reapers(), 10)
    assert "database system is shut down" in world.log()
    assert ask(world.holder().dsn, "select n from kept") == 7


def test_it_stops_after_holders_that_were_killed(world: World) -> None:
    first, second = world.holders(2)
    first.kill()
    assert ask(second.dsn, "select 1") == 1
    assert embedded.status().holders == 1
    second.kill()
    eventually(stopped, 10)


def test_a_starter_killed_half_way_leaves_nothing_behind(world: World) -> None:
    holder = Holder()
    eventually((world.home / "data" / "postmaster.pid").exists, 10)
    holder.kill()

    def gone() -> bool:
        server = read_postmaster(world.home / "data")
        return not world.reapers() and (server is None or not server.alive())

    eventually(gone, 10)
    assert ask(world.holder().dsn, "select 1") == 1


@pytest.mark.parametrize("tcp", [False, True])
def test_a_client_without_a_lease_keeps_it_running(world: World, *, tcp: bool) -> None:
    """`psql` and poolers take no lease; their connections count as use."""
    (holder,) = world.holders(1, listen=tcp)
    target = Cluster(world.home).conninfo("pgqueue", tcp=tcp)
    with psycopg.connect(target, autocommit=True) as connection:
        holder.leave()
        assert (embedded.status().clients, embedded.status().holders) == (1, 0)
        connection.execute("select pg_sleep(1.5)")
        assert world.reapers()
    eventually(stopped, 10)


def test_the_reaper_is_out_of_reach_of_a_terminal_and_no_child_of_the_holder(world: World) -> None:
    holder = world.holder()
    (reaper,) = world.reapers()
    parent = Path(f"/proc/{reaper}/stat").read_text().rpartition(")")[2].split()[1]
    assert os.getsid(reaper) != os.getsid(holder.process.pid)
    assert int(parent) not in {holder.process.pid, os.getpid()}


def test_kept_it_outlives_its_holders_until_it_is_stopped(world: World) -> None:
    assert cli("start").returncode == 0
    world.holder().leave()
    assert world.reapers() == []
    assert embedded.status().kept
    assert running()
    assert embedded.stop() is True
    assert stopped()
    assert not embedded.status().kept


def test_keeping_it_sends_a_waiting_reaper_home(world: World) -> None:
    holder = world.holder()
    assert len(world.reapers()) == 1
    assert cli("start").returncode == 0
    holder.leave()
    eventually(lambda: not world.reapers(), 10)
    assert running()


def test_stop_wins_over_holders_and_the_next_use_starts_it_again(world: World) -> None:
    holder = world.holder()
    assert embedded.stop() is True
    assert stopped()
    assert embedded.stop() is False

    def work() -> object:
        target = embedded.ensure(announce=lambda _: None)
        embedded.stop()
        return [target == embedded.ensure(), ask(target, "select 1")]

    assert in_child(os.geteuid(), os.getegid(), work) == [True, 1]
    holder.leave()
    eventually(stopped, 10)


def test_a_killed_server_is_started_again_by_the_next_use(world: World) -> None:
    holder = world.holder()
    pid = embedded.status().pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    eventually(stopped)
    other = world.holder()
    assert other.dsn == holder.dsn
    assert ask(holder.dsn, "select 1") == 1
    assert "started" in other.leave()


def test_a_killed_reaper_is_replaced_by_the_next_who_joins(world: World) -> None:
    first = world.holder()
    (reaper,) = world.reapers()
    os.kill(reaper, signal.SIGKILL)
    eventually(lambda: not world.reapers())
    second = world.holder()
    assert len(world.reapers()) == 1
    first.leave()
    second.leave()
    eventually(stopped, 10)


def test_a_forked_child_has_a_lease_of_its_own(world: World) -> None:
    def grandchild() -> object:
        embedded.ensure()
        return embedded.status().holders

    def work() -> object:
        embedded.ensure(announce=lambda _: None)
        uid, gid = os.geteuid(), os.getegid()
        return [in_child(uid, gid, grandchild), embedded.status().holders]

    assert in_child(os.geteuid(), os.getegid(), work) == [2, 1]


def test_tcp_is_opened_for_a_server_that_nobody_uses(world: World) -> None:
    target = cli("dsn", PGQUEUE_EMBEDDED_IDLE_SECONDS="60")
    assert target.returncode == 0
    assert not embedded.status().listening
    assert cli("start", "--listen").returncode == 0
    assert embedded.status().listening
    assert ask(cli("dsn", "--tcp").stdout, "select 1") == 1


def test_tcp_is_refused_while_others_use_a_server_without(world: World) -> None:
    holder = world.holder()
    with pytest.raises(ConfigurationError, match="runs without TCP and is in use"):
        embedded.start(listen=True)
    assert ask(holder.dsn, "select 1") == 1


def test_a_kept_server_listens_again_after_a_crash(world: World) -> None:
    assert cli("start", "--listen").returncode == 0
    before = embedded.status()
    assert before.pid is not None
    os.kill(before.pid, signal.SIGKILL)
    eventually(stopped)
    world.holder()
    assert (embedded.status().listening, embedded.status().port) == (True, before.port)


def test_data_of_another_major_version_is_pointed_out(world: World) -> None:
    old = world.state / "pg15"
    old.mkdir(parents=True)
    assert f"data of another major version is in {old}" in (world.holder()).leave()


def test_looking_at_it_makes_nothing_and_loads_no_driver(world: World) -> None:
    code = (
        "import sys; from pgqueue.db import embedded; seen = embedded.status(); embedded.stop();"
        "assert not seen.running and seen.holders == 0 and seen.size_bytes == 0;"
        "assert not {'psycopg', 'orjson', 'rich'} & set(sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert not world.state.exists()


def test_a_directory_that_cannot_be_made_is_named_with_a_cure(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (directory / "file").touch()
    monkeypatch.setenv("PGQUEUE_EMBEDDED_DIR", str(directory / "file" / "state"))
    with pytest.raises(ConfigurationError, match="PGQUEUE_EMBEDDED_DIR"):
        embedded.ensure()
