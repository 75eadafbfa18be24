from __future__ import annotations

import os
from pathlib import Path

import pytest

from pgqueue.db.embedded import postmaster
from pgqueue.db.embedded.postmaster import DEAD_PID, Postmaster, defuse_stale_pid, read_postmaster

PID_FILE = "{pid}\n{data}\n1795315077\n5433\n/run/it/socket\n127.0.0.1\n  1234    98765\nready   \n"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    (tmp_path / "data").mkdir()
    return tmp_path / "data"


def write(data: Path, pid: int) -> Path:
    path = data / "postmaster.pid"
    path.write_text(PID_FILE.format(pid=pid, data=data))
    return path


def process(proc: Path, pid: int, *, state: str, words: list[str]) -> None:
    (proc / str(pid)).mkdir(parents=True)
    (proc / "self").mkdir(exist_ok=True)
    (proc / str(pid) / "stat").write_text(f"{pid} (some) R (name) {state} 1 2 3")
    (proc / str(pid) / "cmdline").write_text("\0".join([*words, ""]))


@pytest.fixture
def proc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(postmaster, "PROC", tmp_path / "proc")
    return tmp_path / "proc"


def test_the_pid_file_is_read_whole(data: Path) -> None:
    write(data, 4711)
    assert read_postmaster(data) == Postmaster(4711, data, 5433, Path("/run/it/socket"), "127.0.0.1", "ready")


@pytest.mark.parametrize("text", ["", "\n", "nonsense\n"])
def test_a_pid_file_cut_short_is_no_server(data: Path, text: str) -> None:
    (data / "postmaster.pid").write_text(text)
    assert read_postmaster(data) is None


def test_a_missing_pid_file_is_no_server(data: Path) -> None:
    assert read_postmaster(data) is None
    assert read_postmaster(data / "missing") is None


def test_a_pid_file_of_a_server_that_just_starts_is_not_ready(data: Path) -> None:
    (data / "postmaster.pid").write_text(f"{os.getpid()}\n{data}\n1\n5432\n")
    found = read_postmaster(data)
    assert found is not None
    assert (found.socket_dir, found.socket, found.state, found.ready()) == (None, None, "", False)


@pytest.mark.parametrize(
    ("state", "program", "alive"),
    [("S", "own", True), ("Z", "own", False), ("X", "own", False), ("S", "other", False)],
)
def test_only_a_living_process_of_this_directory_counts(
    data: Path, proc: Path, state: str, program: str, *, alive: bool
) -> None:
    write(data, os.getpid())
    where = data if program == "own" else data.parent / "elsewhere"
    process(proc, os.getpid(), state=state, words=["/bin/postgres", "-D", str(where)])
    found = read_postmaster(data)
    assert found is not None
    assert found.alive() is alive
    assert found.ready() is alive


def test_a_pid_that_cannot_exist_is_dead(data: Path) -> None:
    for pid in (DEAD_PID, 10**30):
        write(data, pid)
        found = read_postmaster(data)
        assert found is not None
        assert not found.alive()


def test_a_reused_pid_is_defused_and_the_rest_is_kept(data: Path, proc: Path) -> None:
    path = write(data, os.getpid())
    process(proc, os.getpid(), state="S", words=["python", "x"])
    defuse_stale_pid(data)
    assert path.read_text() == PID_FILE.format(pid=DEAD_PID, data=data)


def test_the_pid_of_the_true_server_is_left_alone(data: Path, proc: Path) -> None:
    path = write(data, os.getpid())
    process(proc, os.getpid(), state="S", words=["postgres", "-D", str(data)])
    defuse_stale_pid(data)
    assert path.read_text() == PID_FILE.format(pid=os.getpid(), data=data)


def test_a_dead_pid_is_left_to_postgres(data: Path) -> None:
    path = write(data, 10**30)
    defuse_stale_pid(data)
    assert path.read_text() == PID_FILE.format(pid=10**30, data=data)


def test_a_link_in_place_of_the_pid_file_is_not_followed(data: Path, proc: Path) -> None:
    target = write(data, os.getpid()).rename(data.parent / "precious")
    (data / "postmaster.pid").symlink_to(target)
    process(proc, os.getpid(), state="S", words=["python"])
    with pytest.raises(OSError, match="symbolic links"):
        defuse_stale_pid(data)
    assert target.read_text() == PID_FILE.format(pid=os.getpid(), data=data)


def test_clients_of_the_socket_and_of_the_port_are_counted(data: Path, proc: Path) -> None:
    write(data, 4711)
    (proc / "net").mkdir(parents=True)
    (proc / "net" / "unix").write_text(
        "Num       RefCount Protocol Flags    Type St Inode Path\n"
        "ffff8881: 00000002 00000000 00010000 0001 01 20001 /run/it/socket/.s.PGSQL.5433\n"
        "ffff8882: 00000003 00000000 00000000 0001 03 20002 /run/it/socket/.s.PGSQL.5433\n"
        "ffff8883: 00000003 00000000 00000000 0001 03 20003\n"
        "ffff8884: 00000003 00000000 00000000 0001 03 20004 /run/my other/.s.PGSQL.5433\n"
    )
    (proc / "net" / "tcp").write_text(
        "  sl  local_address rem_address   st tx_queue rx_queue\n"
        "   0: 0100007F:1539 00000000:0000 0A 00000000:00000000\n"
        "   1: 0100007F:1539 0100007F:9C40 01 00000000:00000000\n"
        "   2: 0100007F:9C40 0100007F:1539 01 00000000:00000000\n"
    )
    found = read_postmaster(data)
    assert found is not None
    assert found.clients() == 2


def test_where_the_kernel_lists_no_connections_none_are_counted(data: Path, proc: Path) -> None:
    write(data, 4711)
    found = read_postmaster(data)
    assert found is not None
    assert found.clients() == 0
