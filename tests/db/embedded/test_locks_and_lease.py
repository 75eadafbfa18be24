from __future__ import annotations

import fcntl
import os
from pathlib import Path

import pytest

from pgqueue.db.embedded import lease, locks
from pgqueue.db.embedded.lease import IDLE_VARIABLE, holds_lease, idle_seconds, take_lease
from pgqueue.db.embedded.locks import count_holders, open_lock, start_lock, try_exclusive, wait_shared
from pgqueue.db.embedded.places import Home
from pgqueue.errors import ConfigurationError, Unavailable


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    monkeypatch.setattr(lease, "_taken", {})
    return Home(tmp_path)


def test_the_start_lock_admits_one_and_gives_up_in_time(tmp_path: Path) -> None:
    path = tmp_path / "start.lock"
    with start_lock(path):
        with pytest.raises(Unavailable, match=r"server\.log"), start_lock(path, seconds=-1):
            pytest.fail("two were let in")
    with start_lock(path, seconds=-1):
        pass


def test_the_start_lock_is_let_go_after_an_error(tmp_path: Path) -> None:
    path = tmp_path / "start.lock"
    with pytest.raises(ValueError, match="inside"), start_lock(path):
        raise ValueError("inside")
    with start_lock(path, seconds=-1):
        pass


def test_locks_are_closed_to_others_and_not_inherited(tmp_path: Path) -> None:
    descriptor = open_lock(tmp_path / "lock")
    try:
        assert os.get_inheritable(descriptor) is False
        assert os.fstat(descriptor).st_mode & 0o777 == 0o600
    finally:
        os.close(descriptor)


@pytest.mark.parametrize("listed", [True, False])
def test_holders_are_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, listed: bool) -> None:
    path = tmp_path / "lease"
    assert count_holders(path) == 0
    descriptors = [open_lock(path) for _ in range(3)]
    assert count_holders(path) == 0
    for descriptor in descriptors[:2]:
        wait_shared(descriptor)
    if not listed:
        monkeypatch.setattr(locks, "LISTING", tmp_path / "none")
    assert count_holders(path) == (2 if listed else 1)
    for descriptor in descriptors:
        os.close(descriptor)
    assert count_holders(path) == 0


def test_a_process_takes_one_lease_however_often_it_asks(home: Home) -> None:
    assert not holds_lease(home)
    assert [take_lease(home), take_lease(home)] == [True, False]
    assert holds_lease(home)
    assert count_holders(home.lease) == 1
    (_, descriptor) = lease._taken[home.path]
    os.close(descriptor)


def test_a_child_after_a_fork_takes_its_own(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    take_lease(home)
    (_, first) = lease._taken[home.path]
    child = os.getpid() + 1
    monkeypatch.setattr(os, "getpid", lambda: child)
    assert not holds_lease(home)
    assert take_lease(home) is True
    assert count_holders(home.lease) == 2
    (_, second) = lease._taken[home.path]
    os.close(second)
    assert count_holders(home.lease) == 1
    os.close(first)


def test_taking_a_lease_leaves_a_mark_for_the_reaper(home: Home) -> None:
    home.lease.touch()
    os.utime(home.lease, (0, 0))
    take_lease(home)
    assert home.lease.stat().st_mtime > 0
    (_, descriptor) = lease._taken[home.path]
    os.close(descriptor)


def test_a_shared_lease_keeps_the_exclusive_lock_away(home: Home) -> None:
    take_lease(home)
    descriptor = open_lock(home.lease)
    assert try_exclusive(descriptor) is False
    os.close(lease._taken[home.path][1])
    assert try_exclusive(descriptor) is True
    fcntl.flock(descriptor, fcntl.LOCK_UN)
    os.close(descriptor)


@pytest.mark.parametrize(("text", "seconds"), [("", 5.0), ("0", 0.0), ("2.5", 2.5), ("86400", 86400.0)])
def test_the_idle_grace_is_read_from_the_environment(
    monkeypatch: pytest.MonkeyPatch, text: str, seconds: float
) -> None:
    monkeypatch.setenv(IDLE_VARIABLE, text)
    assert idle_seconds() == seconds


@pytest.mark.parametrize("text", ["soon", "-1", "nan", "inf", "86401"])
def test_a_wrong_idle_grace_is_named(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv(IDLE_VARIABLE, text)
    with pytest.raises(ConfigurationError, match=IDLE_VARIABLE):
        idle_seconds()
