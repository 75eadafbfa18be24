"""The integration lane: one server a run, one database a test, every door a real one.

The process that the user started owns the server; workers of pytest-xdist inherit its address. What each
fixture gives is said in the class that it returns, in `tests_integration/fixtures/`.
"""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Callable, Iterator

import psycopg
import pytest
from hypothesis import HealthCheck, settings

from pgqueue.db.embedded import Cluster
from tests_integration.fixtures.bouncer import Bouncer
from tests_integration.fixtures.clock import Clock
from tests_integration.fixtures.cluster import (
    ADDRESS,
    running_cluster,
    shared_cluster,
    tcp_conninfo,
    versions,
)
from tests_integration.fixtures.database import TEMPLATE, Database, fresh_database
from tests_integration.fixtures.door import Door, Kind
from tests_integration.fixtures.quiet import quiet_server

settings.register_profile(
    "pgqueue-integration",
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
settings.load_profile("pgqueue-integration")

_session = pytest.StashKey[contextlib.ExitStack]()


@pytest.hookimpl(tryfirst=True)
def pytest_sessionstart(session: pytest.Session) -> None:
    config = session.config
    if not config.option.collectonly and not os.environ.get(ADDRESS):
        signal.signal(
            signal.SIGTERM, signal.default_int_handler
        )  # so that the server is stopped then as well
        config.stash[_session] = contextlib.ExitStack()
        config.stash[_session].enter_context(shared_cluster())


def pytest_unconfigure(config: pytest.Config) -> None:
    if _session in config.stash:
        config.stash[_session].close()


def pytest_report_header() -> str | None:
    address = os.environ.get(ADDRESS)
    return versions(address) if address else None


@pytest.fixture(scope="session")
def server() -> str:
    """Return the superuser's conninfo of the shared server."""
    return os.environ[ADDRESS]


@pytest.fixture(scope="session")
def quiet() -> Iterator[str]:
    """Run a server that no other worker uses; return its superuser's conninfo."""
    with quiet_server() as address:
        yield address


@pytest.fixture(scope="session")
def bouncer(server: str) -> Iterator[Bouncer]:
    """Run the PgBouncer of this worker; tests neither change its settings nor stop it."""
    with _running(Bouncer(server)) as started:
        yield started


@pytest.fixture
def pooled(request: pytest.FixtureRequest) -> Callable[[str], str]:
    """Give the pooled conninfo of a database; PgBouncer starts at the first question."""

    def conninfo(dbname: str) -> str:
        started: Bouncer = request.getfixturevalue("bouncer")
        return started.conninfo(dbname)

    return conninfo


@pytest.fixture
def database(server: str, pooled: Callable[[str], str]) -> Iterator[Database]:
    with fresh_database(server, TEMPLATE, pooled) as made:
        yield made


@pytest.fixture
def empty_database(server: str, pooled: Callable[[str], str]) -> Iterator[Database]:
    """Make a database without the schema pgqueue."""
    with fresh_database(server, "template1", pooled) as made:
        yield made


@pytest.fixture
def db(database: Database) -> psycopg.Connection:
    return database.connect()


@pytest.fixture(params=["direct", "pgbouncer"])
def door(request: pytest.FixtureRequest, database: Database) -> Door:
    kind: Kind = request.param
    return Door(kind, database)


@pytest.fixture
def clock(database: Database) -> Clock:
    return Clock(database.connect())


@pytest.fixture
def start_bouncer() -> Iterator[Callable[..., Bouncer]]:
    """Start any number of private PgBouncers: `start_bouncer(conninfo or cluster, client_idle_timeout=1)`."""
    with contextlib.ExitStack() as stack:

        def start(target: str | Cluster, **overrides: str | int) -> Bouncer:
            conninfo = target if isinstance(target, str) else tcp_conninfo(target)
            return stack.enter_context(_running(Bouncer(conninfo, **overrides)))

        yield start


@pytest.fixture
def own_bouncer(server: str, start_bouncer: Callable[..., Bouncer]) -> Bouncer:
    """Start a private PgBouncer before the shared server: change, stop and kill it at will."""
    return start_bouncer(server)


@pytest.fixture
def own_cluster() -> Iterator[Cluster]:
    """Start a private server with fsync on: stop and kill it at will."""
    with running_cluster({"deadlock_timeout": "200ms"}) as cluster:
        yield cluster


@contextlib.contextmanager
def _running(bouncer: Bouncer) -> Iterator[Bouncer]:
    try:
        bouncer.start()
        yield bouncer
    finally:
        bouncer.close()
