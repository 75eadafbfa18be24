"""What befalls Postgres and PgBouncer, and what only makes them slow."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import psycopg

from pgqueue.db.embedded import Cluster
from tests_integration.fixtures.bouncer import Bouncer
from tests_integration.torture.system.ground import DATABASE
from tests_integration.torture.system.schedule import Fault
from tests_integration.torture.system.stage import Hit, Stage, Strike, wait_for

OURS = "application_name like 'pgqueue/%' and backend_type = 'client backend'"
IDLE_SECONDS = 1


def lose_server(stop: Callable[[Cluster], object], *, loses_async: bool) -> Strike:
    @contextmanager
    def strike(stage: Stage, _: Fault) -> Iterator[Hit]:
        with stage.locks["server"]:
            stop(stage.ground.cluster)
            try:
                yield Hit(of="all", loses_async=loses_async)
            finally:
                stage.ground.cluster.start()
            stage.sql("select")

    return strike


@contextmanager
def kill_backend(stage: Stage, fault: Fault) -> Iterator[Hit]:
    """Kill one session's process: the server then throws all of them out and recovers."""
    with stage.locks["server"]:

        def kill() -> bool | None:
            rows = stage.sql(
                f"select pid from pg_stat_activity where {OURS} order by md5(pid::text || '{fault.pick}')"
            )
            for (pid,) in rows[:1]:
                os.kill(int(str(pid)), signal.SIGKILL)
            return True if rows else None

        wait_for(kill)
        yield Hit(of="all", loses_async=True)
        stage.sql("select")


@contextmanager
def terminate_backends(stage: Stage, fault: Fault) -> Iterator[Hit]:
    chosen = f"select pid from pg_stat_activity where {OURS} order by md5(pid::text || '{fault.pick}') limit {fault.value:.0f}"
    wait_for(lambda: stage.sql(f"select pg_terminate_backend(pid) from ({chosen}) c") or None)
    yield Hit(of="all")


def with_bouncer(begin: Callable[[Bouncer], object], end: Callable[[Bouncer], object]) -> Strike:
    @contextmanager
    def strike(stage: Stage, _: Fault) -> Iterator[Hit]:
        bouncer = stage.ground.bouncer
        assert bouncer is not None, "this profile has a pooler"
        with stage.locks["pooler"]:
            begin(bouncer)
            yield Hit(of="all")
            if not bouncer.is_running():  # killed; or crashed, as 1.18 may at a KILL
                bouncer.start()
            end(bouncer)

    return strike


def _resume(bouncer: Bouncer) -> None:
    try:
        bouncer.resume(DATABASE)
    except psycopg.Error as error:
        # It says so when there is nothing to resume; but 1.18 may also hang after a KILL.
        if error.sqlstate is None:
            bouncer.kill()
            bouncer.start()


@contextmanager
def clock_step(stage: Stage, fault: Fault) -> Iterator[Hit]:
    """Move the database's clock, and back."""
    with stage.locks["clock"]:
        stage.sql(f"select setval('torture.clock_offset', {round(fault.value * 1_000_000)})")
        yield Hit(of="database", least_seconds=0.6)
        stage.sql("select setval('torture.clock_offset', 0)")


def hold_open(*statements: str) -> Strike:
    @contextmanager
    def strike(stage: Stage, _: Fault) -> Iterator[Hit]:
        def open_one() -> psycopg.Connection | None:
            with suppress(psycopg.OperationalError):
                connection = stage.ground.connect()
                for statement in statements:
                    connection.execute(statement.encode())
                return connection
            return None

        connection = wait_for(open_one)
        yield Hit()
        connection.close()

    return strike


STRIKES: dict[str, Strike] = {
    "immediate_stop": lose_server(lambda cluster: cluster.stop("immediate"), loses_async=True),
    "kill_postmaster": lose_server(lambda cluster: cluster.kill(), loses_async=True),
    "fast_stop": lose_server(lambda cluster: cluster.stop("fast"), loses_async=False),
    "kill_backend": kill_backend,
    "terminate_backends": terminate_backends,
    "pooler_kill": with_bouncer(lambda bouncer: bouncer.kill(), lambda _: None),
    "pooler_restart": with_bouncer(lambda bouncer: bouncer.restart(), lambda _: None),
    "pooler_pause": with_bouncer(lambda bouncer: bouncer.pause(DATABASE), _resume),
    "pooler_kill_database": with_bouncer(lambda bouncer: bouncer.admin(f"KILL {DATABASE}"), _resume),
    "pooler_idle_timeout": with_bouncer(
        lambda bouncer: bouncer.set("client_idle_timeout", IDLE_SECONDS),
        lambda bouncer: bouncer.set("client_idle_timeout", 0),
    ),
    "clock_step": clock_step,
    "snapshot": hold_open("begin isolation level repeatable read", "select count(*) from torture.unrelated"),
    "long_writer": hold_open("begin", "insert into torture.unrelated values (0)"),
}
