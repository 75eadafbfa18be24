"""Servers of these tests are private: each test has its own directory, and nothing survives the test."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from pgqueue.db import embedded
from pgqueue.db.embedded import Cluster
from tests_integration.embedded.programs import World


@pytest.fixture
def directory() -> Iterator[Path]:
    """A short directory that the server's user can reach. Every server below it is ended."""
    path = embedded.scratch_directory()
    yield path
    for pid_file in path.rglob("postmaster.pid"):
        Cluster(pid_file.parents[1]).stop("immediate")
    shutil.rmtree(path)


@pytest.fixture
def world(directory: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """A machine of one's own for the shared server: its directory, and processes that use it."""
    state = directory / "state"
    monkeypatch.setenv("PGQUEUE_EMBEDDED_DIR", str(state))
    monkeypatch.setenv("PGQUEUE_EMBEDDED_IDLE_SECONDS", "0.1")
    made = World(state)
    yield made
    made.close()
