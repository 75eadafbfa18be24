from __future__ import annotations

import os
import pwd
from pathlib import Path

import pytest

from pgqueue.db.embedded.identity import RunAs, choose_run_as, environment
from pgqueue.errors import ConfigurationError

USERS = {"root": 0, "postgres": 101, "nobody": 65534, "me": 1000}


@pytest.fixture
def users(monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """The password database of the machine: remove a name to make it a smaller one."""
    found = dict(USERS)

    def entry(name: str) -> pwd.struct_passwd:
        return pwd.struct_passwd((name, "x", found[name], found[name] + 1, "", "/", "/bin/sh"))

    def by_uid(uid: int) -> pwd.struct_passwd:
        names = [name for name, each in found.items() if each == uid]
        if not names:
            raise KeyError(uid)
        return entry(names[0])

    monkeypatch.setattr(pwd, "getpwnam", entry)
    monkeypatch.setattr(pwd, "getpwuid", by_uid)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    return found


def test_root_steps_down_to_postgres_else_to_nobody(users: dict[str, int], tmp_path: Path) -> None:
    assert choose_run_as(tmp_path / "none") == RunAs(101, 102, "postgres", switch=True)
    del users["postgres"]
    assert choose_run_as(tmp_path / "none") == RunAs(65534, 65535, "nobody", switch=True)
    del users["nobody"]
    with pytest.raises(ConfigurationError, match="neither a user `postgres` nor a user `nobody`"):
        choose_run_as(tmp_path / "none")


def test_root_follows_the_owner_of_existing_data(
    users: dict[str, int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stat = os.stat_result((0o40700, 0, 0, 0, 1000, 1000, 0, 0, 0, 0))
    monkeypatch.setattr(Path, "stat", lambda _: stat)
    assert choose_run_as(tmp_path) == RunAs(1000, 1001, "me", switch=True)


def test_data_of_root_is_refused(
    users: dict[str, int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stat = os.stat_result((0o40700, 0, 0, 0, 0, 0, 0, 0, 0, 0))
    monkeypatch.setattr(Path, "stat", lambda _: stat)
    with pytest.raises(ConfigurationError, match="belongs to root"):
        choose_run_as(tmp_path)


def test_an_ordinary_user_stays_who_he_is(
    users: dict[str, int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    run_as = choose_run_as(tmp_path / "none")
    assert run_as == RunAs(1000, 1001, "me", switch=False)
    assert not {"user", "group", "extra_groups"} & set(run_as.popen_options())


def test_a_user_id_without_a_name_is_explained(
    users: dict[str, int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 54321)
    with pytest.raises(ConfigurationError, match="54321 has no entry"):
        choose_run_as(tmp_path / "none")


def test_stepping_down_drops_the_groups_too() -> None:
    options = RunAs(101, 102, "postgres", switch=True).popen_options()
    assert (options["user"], options["group"], options["extra_groups"], options["cwd"]) == (101, 102, [], "/")


def test_the_server_sees_four_variables_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGDATA", "/x")
    monkeypatch.setenv("LANG", "de_DE.UTF-8")
    assert sorted(environment(Path("/b"))) == ["HOME", "LC_ALL", "PATH", "TZ"]
