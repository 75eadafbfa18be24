"""What can befall the database of a running worker: each lasts as long as its `with` block."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg

from pgqueue.db.embedded import Cluster
from tests_integration.db.client_messages import WireCut
from tests_integration.db.fault_proxy import FaultProxy
from tests_integration.fixtures.bouncer import Bouncer

STATEMENTS = frozenset({"sync", "query"})


@dataclass
class Place:
    """A worker's way to its database: a proxy that counts, perhaps a pooler, and the server behind.

    `conninfo` is the superuser's, past the proxy and the pooler; `dsn` the worker's, through them.
    """

    conninfo: str
    dsn: str
    proxy: FaultProxy
    user: str
    bouncer: Bouncer | None = None
    cluster: Cluster | None = None
    _counted: tuple[int, int] = (0, 0)

    @contextmanager
    def admin(self) -> Iterator[psycopg.Connection]:
        """Connect as the superuser, also to a database that was made read-only."""
        options = "-c default_transaction_read_only=off"
        with psycopg.connect(self.conninfo, autocommit=True, options=options) as connection:
            yield connection

    def run(self, *statements: str) -> None:
        with self.admin() as connection:
            for statement in statements:
                connection.execute(statement.encode())

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        with self.admin() as connection:
            return connection.execute(query.encode()).fetchall()

    def end_sessions(self) -> None:
        """End every session of the worker's."""
        self.run(
            f"select pg_terminate_backend(pid, 5000) from pg_stat_activity where usename = '{self.user}'"
        )

    def count(self) -> tuple[int, int]:
        """Return how many connections were tried, and how many statements sent, since the last count."""
        counting = self.proxy.wire_cut
        assert counting is not None
        statements = sum(name in STATEMENTS for _, name in list(counting.passed))
        now = self.proxy.links + self.proxy.refused, statements
        before, self._counted = self._counted, now
        return now[0] - before[0], now[1] - before[1]


def watch(proxy: FaultProxy) -> None:
    """Let the proxy count the statements of all links from now on."""
    proxy.wire_cut = WireCut()


@contextmanager
def stopped(place: Place, how: str) -> Iterator[None]:
    assert place.cluster is not None
    place.cluster.stop(how)
    try:
        yield
    finally:
        place.cluster.start()


@contextmanager
def pooler_stopped(place: Place, how: Callable[[Bouncer], None]) -> Iterator[None]:
    assert place.bouncer is not None
    how(place.bouncer)
    try:
        yield
    finally:
        place.bouncer.start()


@contextmanager
def pooler_killing(place: Place) -> Iterator[None]:
    """Cut every client of the database, and refuse new ones until the resume."""
    assert place.bouncer is not None
    (name,) = place.rows("select current_database()")[0]
    place.bouncer.admin(f"KILL {name}")
    try:
        yield
    finally:
        place.bouncer.resume(name)


@contextmanager
def pooler_paused(place: Place, wait_timeout: int) -> Iterator[None]:
    """Let queries wait for a server; after `query_wait_timeout` the pooler cuts the client."""
    assert place.bouncer is not None
    (name,) = place.rows("select current_database()")[0]
    place.bouncer.set("query_wait_timeout", wait_timeout)
    place.bouncer.pause(name)
    try:
        yield
    finally:
        place.bouncer.resume(name)


@contextmanager
def silent(place: Place) -> Iterator[None]:
    """Accept everything and answer nothing."""
    place.proxy.black_hole()
    try:
        yield
    finally:
        place.proxy.heal()


@contextmanager
def read_only(place: Place) -> Iterator[None]:
    """Be a server that takes no writes, as after a switch-over."""
    (name,) = place.rows("select current_database()")[0]
    place.run(f"alter database {name} set default_transaction_read_only = on")
    place.end_sessions()
    try:
        yield
    finally:
        place.run(f"alter database {name} set default_transaction_read_only = off")
        # The worker's read-only sessions stay as they are: it must leave them by itself.


@contextmanager
def disk_full(place: Place) -> Iterator[None]:
    """Refuse every write of a read or an ack as a server does whose disk is full."""
    tables = [table for (table,) in place.rows("select unnest(pgqueue.tables_of('orders', 'rlmc'))")]
    place.run(
        "create or replace function public.full_disk() returns trigger language plpgsql as $$ begin"
        " raise exception 'could not extend file: No space left on device' using errcode = '53100'; end $$"
    )
    for table in tables:
        place.run(
            f"create trigger full_disk before insert or update or delete on {table}"
            " for each statement execute function public.full_disk()"
        )
    try:
        yield
    finally:
        for table in tables:
            place.run(f"drop trigger full_disk on {table}")


@contextmanager
def schema_away(place: Place) -> Iterator[None]:
    """Have no schema for a while, as in the middle of a restore."""
    place.run("alter schema pgqueue rename to away")
    try:
        yield
    finally:
        place.run("alter schema away rename to pgqueue")


@contextmanager
def queue_away(place: Place) -> Iterator[None]:
    place.run("select pgqueue.drop_queue('orders', true)")
    try:
        yield
    finally:
        place.run("select pgqueue.create_queue('orders')")


@contextmanager
def without_rights(place: Place) -> Iterator[None]:
    place.run(f"revoke pgqueue_consumer from {place.user}")
    try:
        yield
    finally:
        place.run(f"grant pgqueue_consumer to {place.user}")


@contextmanager
def without_room(place: Place) -> Iterator[None]:
    """Have no connection left for this role."""
    place.run(f"alter role {place.user} connection limit 0")
    place.end_sessions()
    try:
        yield
    finally:
        place.run(f"alter role {place.user} connection limit -1")


@dataclass(frozen=True)
class Trouble:
    """`through`: what stands between. `forgets`: what was committed asynchronously is lost with the server."""

    begin: Callable[[Place], AbstractContextManager[None]]
    through: str = "proxy"
    forgets: bool = False


TROUBLES: dict[str, Trouble] = {
    "server stopped": Trouble(lambda place: stopped(place, "fast"), "own server"),
    "server crashed": Trouble(lambda place: stopped(place, "immediate"), "own server", forgets=True),
    "pooler stopped": Trouble(lambda place: pooler_stopped(place, Bouncer.stop), "pooler"),
    "pooler killed": Trouble(lambda place: pooler_stopped(place, Bouncer.kill), "pooler"),
    "pooler's KILL": Trouble(pooler_killing, "pooler"),
    "pooler paused": Trouble(lambda place: pooler_paused(place, 60), "pooler"),
    "pooler's query_wait_timeout": Trouble(lambda place: pooler_paused(place, 1), "pooler"),
    "links half-open": Trouble(silent),
    "server read-only": Trouble(read_only),
    "disk full": Trouble(disk_full),
    "schema away": Trouble(schema_away),
    "queue dropped": Trouble(queue_away),
    "rights revoked": Trouble(without_rights),
    "no connection left": Trouble(without_room),
}
