"""Fixtures of the upgrade tests: an empty database on each server there is."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest

from pgqueue.db.embedded import Cluster, scratch_directory
from tests_integration.fixtures.cluster import FAST, tcp_conninfo
from tests_integration.upgrade.servers import WHEEL, Server, installed, label, wheel_programs


@pytest.fixture(scope="session", params=installed(), ids=label)
def any_server(request: pytest.FixtureRequest, server: str) -> Iterator[Server]:
    """Run the test on each server that this machine has; the wheel's is the shared one of the run."""
    if request.param == WHEEL:
        yield Server(server, wheel_programs())
        return
    directory = scratch_directory()
    cluster = Cluster(directory / "pg", binaries=request.param, options=FAST, listen=True)
    try:
        cluster.start()
        yield Server(tcp_conninfo(cluster), cluster.bin_dir)
    finally:
        cluster.stop("immediate")
        shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture
def empty(any_server: Server) -> Iterator[str]:
    """Give the conninfo of a database without our schema."""
    with any_server.database() as conninfo:
        yield conninfo


@pytest.fixture
def fresh(any_server: Server) -> Iterator[str]:
    """Give a second one, to compare with."""
    with any_server.database() as conninfo:
        yield conninfo
