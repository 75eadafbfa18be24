from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests_integration.fixtures.cluster import FAST, install_schema, running_cluster, tcp_conninfo
from tests_integration.fixtures.database import make_template


@pytest.fixture(scope="session")
def server() -> Iterator[str]:
    """Run a server for these tests alone: a transaction that another test has open anywhere in it would hold the horizon back."""
    with running_cluster(FAST) as cluster:
        address = tcp_conninfo(cluster)
        make_template(address, install_schema)
        yield address
