from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pgqueue.db.embedded import reaper
from pgqueue.db.embedded.cluster import Cluster
from pgqueue.db.embedded.locks import open_lock, try_exclusive, wait_shared


def is_free(path: Path) -> bool:
    descriptor = open_lock(path)
    try:
        return try_exclusive(descriptor)
    finally:
        os.close(descriptor)


class Round:
    """One round of the reaper over a home without a server; `stops` counts what it would have stopped."""

    def __init__(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.home = Cluster(path).home
        self.home.lease.touch()
        self.stops = 0
        self.during_grace: Callable[[], None] = lambda: None
        monkeypatch.setattr(Cluster, "stop_locked", lambda _: self._stop())
        monkeypatch.setattr(reaper, "_wait_grace", lambda *_: self.during_grace())

    def run(self) -> bool:
        """True when the reaper is done. It is then free for a successor, else it still holds its lock."""
        own = open_lock(self.home.reaper_lock)
        assert try_exclusive(own)
        done = reaper._watch(Cluster(self.home.path), own, 0)
        assert is_free(self.home.reaper_lock) is done
        if not done:
            os.close(own)
        return done

    def _stop(self) -> bool:
        assert not is_free(self.home.start_lock)
        self.stops += 1
        return True


@pytest.fixture
def watch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Round:
    return Round(tmp_path, monkeypatch)


@pytest.fixture
def lease(watch: Round) -> Iterator[int]:
    descriptor = open_lock(watch.home.lease)
    yield descriptor
    os.close(descriptor)


def test_idle_it_stops_the_server_under_the_start_lock_and_is_done(watch: Round) -> None:
    assert watch.run() is True
    assert watch.stops == 1
    assert is_free(watch.home.start_lock)


def test_whoever_joins_in_the_grace_keeps_the_server(watch: Round, lease: int) -> None:
    watch.during_grace = lambda: wait_shared(lease)
    assert watch.run() is False
    assert watch.stops == 0


def test_whoever_came_and_went_in_the_grace_starts_it_anew(watch: Round) -> None:
    watch.during_grace = lambda: os.utime(watch.home.lease, ns=(1, 1))
    assert watch.run() is False
    assert watch.stops == 0


def test_clients_keep_the_server(watch: Round, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reaper, "_clients", lambda _: 1)
    assert watch.run() is False
    assert watch.stops == 0


def test_a_kept_server_needs_no_reaper(watch: Round) -> None:
    watch.home.keep.touch()
    assert watch.run() is True
    assert watch.stops == 0


def test_a_home_that_was_removed_ends_the_reaper(tmp_path: Path) -> None:
    own = open_lock(tmp_path / "lock")
    reaper.main([str(tmp_path / "gone"), str(own), "0"])
    os.close(own)
    assert not (tmp_path / "gone").exists()
