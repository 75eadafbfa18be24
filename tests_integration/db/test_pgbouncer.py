"""The pooled door through a real PgBouncer in transaction mode: what cuts clients there, and what must not be used."""

from __future__ import annotations

import psycopg
import pytest

from pgqueue.db.doors import DirectDoor
from pgqueue.db.liveness import looks_dropped
from pgqueue.errors import ConfigurationError, InDoubt, Unavailable
from pgqueue.message import calls
from pgqueue.message.model import Outcome
from tests_integration.db import faults
from tests_integration.db.faults import QUEUE, Events, OpenRunner, lease, stored, warm, while_blocked
from tests_integration.fixtures.bouncer import Bouncer
from tests_integration.fixtures.database import Database
from tests_integration.fixtures.waiting import eventually


def test_an_ack_after_client_idle_timeout_succeeds_with_one_reconnect(
    database: Database, db: psycopg.Connection, own_bouncer: Bouncer, open_runner: OpenRunner, events: Events
) -> None:
    """U23: what reaps clients of a pooler in transaction mode."""
    own_bouncer.set("client_idle_timeout", 1)
    runner = open_runner(own_bouncer.conninfo(database.name))
    message = lease(runner, db)
    eventually(lambda: looks_dropped(runner.idle()[0]))
    assert runner.run(calls.delete(QUEUE, message.msg_id, message.receipt)) is Outcome.DONE
    assert stored(db) == []
    assert len(events.named("connection.dropped")) == 1


def test_the_poolers_own_error_at_the_statement_is_repeated_for_an_ack_and_in_doubt_for_a_send(
    database: Database,
    db: psycopg.Connection,
    own_bouncer: Bouncer,
    open_runner: OpenRunner,
    events: Events,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """U23, U31: 08P01 is the pooler's word, which doesn't know what became of a statement."""
    own_bouncer.set("client_idle_timeout", 1)
    runner = open_runner(own_bouncer.conninfo(database.name))
    message = lease(runner, db)
    eventually(lambda: looks_dropped(runner.idle()[0]))
    monkeypatch.setattr("pgqueue.db.pools.looks_dropped", lambda _: False)
    assert runner.run(calls.delete(QUEUE, message.msg_id, message.receipt)) is Outcome.DONE
    (event,) = events.named("call.repeated")
    assert event["sqlstate"] == "08P01"
    eventually(lambda: looks_dropped(runner.idle()[0]))
    with pytest.raises(InDoubt) as caught:
        runner.run(calls.send(QUEUE, 1))
    assert caught.value.sqlstate == "08P01"
    assert stored(db) == []


def test_an_ack_cut_by_kill_is_repeated_after_resume(
    database: Database, db: psycopg.Connection, own_bouncer: Bouncer, open_runner: OpenRunner, events: Events
) -> None:
    runner = open_runner(own_bouncer.conninfo(database.name))
    message = lease(runner, db)

    def cut(pid: int) -> None:
        own_bouncer.admin(f"KILL {database.name}")
        own_bouncer.admin(f"RESUME {database.name}")
        faults.kill(db)(pid)

    with while_blocked(database, [cut]):
        assert runner.run(calls.delete(QUEUE, message.msg_id, message.receipt)) is Outcome.DONE
    assert stored(db) == []
    assert [event["sqlstate"] for event in events.named("call.repeated")] == ["08P01"]


def test_a_read_cut_by_the_pooler_is_not_repeated(
    database: Database, db: psycopg.Connection, own_bouncer: Bouncer, open_runner: OpenRunner, events: Events
) -> None:
    runner = open_runner(own_bouncer.conninfo(database.name))
    warm(runner)

    def cut(pid: int) -> None:
        own_bouncer.admin(f"KILL {database.name}")
        own_bouncer.admin(f"RESUME {database.name}")
        faults.kill(db)(pid)

    with while_blocked(database, [cut]) as met, pytest.raises(Unavailable, match="got no answer"):
        runner.run(calls.read(QUEUE))
    assert len(met) == 1
    assert not events.named("call.repeated")


def test_a_backend_killed_behind_the_pooler_is_repeated_like_a_direct_one(
    database: Database, db: psycopg.Connection, own_bouncer: Bouncer, open_runner: OpenRunner, events: Events
) -> None:
    runner = open_runner(own_bouncer.conninfo(database.name))
    message = lease(runner, db)
    with while_blocked(database, [faults.kill(db)]):
        assert runner.run(calls.delete(QUEUE, message.msg_id, message.receipt)) is Outcome.DONE
    assert [event["sqlstate"] for event in events.named("call.repeated")] == ["57P01"]


def test_a_restart_of_the_pooler_between_calls_is_not_noticed(
    database: Database, db: psycopg.Connection, own_bouncer: Bouncer, open_runner: OpenRunner
) -> None:
    runner = open_runner(own_bouncer.conninfo(database.name))
    message = lease(runner, db)
    own_bouncer.restart()
    eventually(lambda: looks_dropped(runner.idle()[0]))
    assert runner.run(calls.send(QUEUE, 2)) == 2
    assert runner.run(calls.delete(QUEUE, message.msg_id, message.receipt)) is Outcome.DONE


def test_the_pooled_door_prepares_nothing_on_the_server(
    database: Database, db: psycopg.Connection, own_bouncer: Bouncer, open_runner: OpenRunner
) -> None:
    """U39"""
    runners = [open_runner(own_bouncer.conninfo(database.name)) for _ in range(3)]
    for number in range(8):
        for runner in runners:
            runner.run(calls.send(QUEUE, number))
    assert len(stored(db)) == 24
    pooled = psycopg.connect(own_bouncer.conninfo(database.name), autocommit=True, prepare_threshold=None)
    with pooled:
        assert pooled.execute("select count(*) from pg_prepared_statements").fetchone() == (0,)


def test_the_direct_door_refuses_a_pooler(
    database: Database, db: psycopg.Connection, own_bouncer: Bouncer, open_runner: OpenRunner
) -> None:
    with pytest.raises(ConfigurationError, match="pooler"):
        open_runner(own_bouncer.conninfo(database.name), door=DirectDoor).run(calls.peek(QUEUE))
    assert open_runner(database.conninfo, door=DirectDoor).run(calls.peek(QUEUE)) == []
