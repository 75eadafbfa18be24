from __future__ import annotations

import os
import pwd
import stat
from pathlib import Path

import pytest

from pgqueue.db.embedded import places
from pgqueue.db.embedded.identity import RunAs
from pgqueue.db.embedded.places import (
    Home,
    open_log,
    prepare_home,
    remove_stale_sockets,
    socket_directory,
    state_directory,
    write_private,
)
from pgqueue.errors import ConfigurationError

ME = RunAs(os.geteuid(), os.getegid(), "me", switch=False)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize(
    ("uid", "environ", "expected"),
    [
        (0, {}, "/var/lib/pgqueue"),
        (0, {"HOME": "/root", "XDG_STATE_HOME": "/x"}, "/var/lib/pgqueue"),
        (0, {"PGQUEUE_EMBEDDED_DIR": "/data/it"}, "/data/it"),
        (7, {"HOME": "/home/me"}, "/home/me/.local/state/pgqueue"),
        (7, {"HOME": "/home/me", "XDG_STATE_HOME": "/x/state"}, "/x/state/pgqueue"),
        (7, {"HOME": "/home/me", "XDG_STATE_HOME": "relative"}, "/home/me/.local/state/pgqueue"),
        (7, {"HOME": "/home/me", "XDG_STATE_HOME": ""}, "/home/me/.local/state/pgqueue"),
        (7, {"HOME": "", "PGQUEUE_EMBEDDED_DIR": "/data/it"}, "/data/it"),
    ],
)
def test_the_state_lives_where_the_system_wants_it(
    monkeypatch: pytest.MonkeyPatch, uid: int, environ: dict[str, str], expected: str
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: uid)
    assert state_directory(environ) == Path(expected)


def listed_home(monkeypatch: pytest.MonkeyPatch, path: str) -> None:
    entry = pwd.struct_passwd(("me", "x", 7, 7, "", path, "/bin/sh"))
    monkeypatch.setattr(os, "geteuid", lambda: 7)
    monkeypatch.setattr(pwd, "getpwuid", {7: entry}.__getitem__)


@pytest.mark.parametrize("environ", [{}, {"HOME": ""}])
def test_without_home_the_password_database_is_asked(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, environ: dict[str, str]
) -> None:
    listed_home(monkeypatch, str(tmp_path))
    assert state_directory(environ) == tmp_path / ".local" / "state" / "pgqueue"


@pytest.mark.parametrize("environ", [{}, {"HOME": ""}, {"HOME": "relative"}])
def test_no_home_is_an_error_with_a_cure(monkeypatch: pytest.MonkeyPatch, environ: dict[str, str]) -> None:
    listed_home(monkeypatch, "/nonexistent")
    with pytest.raises(ConfigurationError, match="PGQUEUE_EMBEDDED_DIR"):
        state_directory(environ)


def test_new_directories_are_closed_and_old_ones_stay_as_they_are(tmp_path: Path) -> None:
    (tmp_path / "old").mkdir()
    (tmp_path / "old").chmod(0o775)
    home = prepare_home(tmp_path / "old" / "new" / "pg18")
    prepare_home(tmp_path / "old" / "new" / "pg18")
    made = 0o711 if os.geteuid() == 0 else 0o700
    assert [mode(path) for path in (home.path.parents[1], home.path.parent, home.path)] == [0o775, made, made]


@pytest.mark.parametrize("name", ["a$HOME", 'a"b', "a`id`", "a\\b", "a\nb"])
def test_a_path_that_a_shell_would_change_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigurationError, match="Choose another directory"):
        prepare_home(tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_a_directory_of_another_user_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: tmp_path.stat().st_uid + 1)
    with pytest.raises(ConfigurationError, match="belongs to the user id"):
        prepare_home(tmp_path)


def test_a_file_in_the_way_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigurationError, match="file"):
        prepare_home(tmp_path / "file" / "pg18")


def test_a_private_file_is_replaced_and_never_readable_to_others(tmp_path: Path) -> None:
    path = tmp_path / "pgpass"
    path.write_text("old")
    path.chmod(0o644)
    (tmp_path / "pgpass.new").write_text("left by a crash")
    write_private(path, "new")
    assert (path.read_text(), mode(path), list(tmp_path.iterdir())) == ("new", 0o600, [path])


def test_a_log_that_grew_too_big_is_put_aside_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(places, "LOG_LIMIT_BYTES", 3)
    home = Home(tmp_path)
    for text in (b"first", b"second"):
        with open_log(home) as log:
            log.write(text)
    assert home.log.read_bytes() == b"second"
    assert (tmp_path / "server.log.1").read_bytes() == b"first"
    assert mode(home.log) == 0o600


def test_the_socket_lies_beside_the_data_where_it_fits(tmp_path: Path) -> None:
    home = Home(tmp_path / "with space")
    home.path.mkdir()
    if len(str(home.path)) < 85:
        assert socket_directory(home, ME) == home.path / "socket"
        assert mode(home.path / "socket") == 0o700


@pytest.mark.parametrize("name", ["x" * 100, "a,b", "it's", "grün"])
def test_a_path_no_socket_can_have_is_replaced_by_a_short_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(places, "_short_root", lambda: tmp_path)
    path = socket_directory(Home(tmp_path / name), ME)
    assert path.parent == tmp_path
    assert len(path.name) < 40
    assert mode(path) == 0o700
    assert socket_directory(Home(tmp_path / name), ME) == path
    assert socket_directory(Home(tmp_path / (name + "2")), ME) != path


def test_a_socket_directory_that_somebody_else_prepared_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(places, "_short_root", lambda: tmp_path)
    home = Home(tmp_path / ("x" * 100))
    path = socket_directory(home, ME)
    path.chmod(0o777)
    with pytest.raises(ConfigurationError, match="isn't a private directory"):
        socket_directory(home, ME)
    path.rmdir()
    (tmp_path / "elsewhere").mkdir(mode=0o700)
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ConfigurationError, match="isn't a private directory"):
        socket_directory(home, ME)


def test_only_sockets_are_cleared_away(tmp_path: Path) -> None:
    for name in (".s.PGSQL.5432", ".s.PGSQL.5432.lock", "other"):
        (tmp_path / name).touch()
    remove_stale_sockets(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["other"]
