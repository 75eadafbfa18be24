"""Connections that die under a barrier's call: what is done again is done once."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from pgqueue import PgQueue, barrier
from pgqueue.barrier import Part, settle
from pgqueue.barrier.rules import part_of
from pgqueue.call import Call
from pgqueue.claim import calls as claims
from pgqueue.errors import InDoubt, Unavailable
from pgqueue.message.model import Message, Outcome
from tests_integration.barrier.fan import Fan
from tests_integration.db.fault_proxy import FaultProxy, fault_proxy
from tests_integration.fixtures.database import Database
from tests_integration.fixtures.verbs import Background, scalar
from tests_integration.fixtures.waiting import wait_until_blocked


@pytest.fixture
def proxy(database: Database) -> Iterator[FaultProxy]:
    with fault_proxy(database.conninfo) as opened:
        yield opened


@pytest.fixture
def client(proxy: FaultProxy, database: Database) -> Iterator[PgQueue]:
    with PgQueue(proxy.conninfo(database.conninfo), max_connections=1) as made:
        yield made


def ack(message: Message, archive: bool = False) -> Call[Outcome]:
    part = part_of(message.headers)
    assert part is not None
    return settle.ack_part("parts", message.msg_id, message.receipt, part, '"result"', archive=archive)


def bury(message: Message) -> Call[Outcome]:
    part = part_of(message.headers)
    assert part is not None
    return settle.bury_part("parts", message.msg_id, message.receipt, part, "lame")


ENDS: dict[str, Callable[[Message], Call[Outcome]]] = {"ack": ack, "bury": bury}


@pytest.mark.parametrize("end", ENDS)
def test_last_part_whose_answer_was_lost_ends_once(
    fan: Fan, client: PgQueue, proxy: FaultProxy, end: str
) -> None:
    """F46: the commit arrived, its answer did not; the second run finds the message gone and changes nothing."""
    generation = fan.arm(1, policy="collect")
    (message,) = client.read("parts", vt=60)
    proxy.lose_replies()
    assert client.run(ENDS[end](message)) is Outcome.DONE
    assert proxy.links == 2
    assert fan.counts(generation) == (("done", 1, 0, 0) if end == "ack" else ("done", 0, 1, 0))
    assert len(fan.sent()) == 1


@pytest.mark.parametrize("end", ENDS)
def test_last_part_whose_session_was_killed_ends_once(
    fan: Fan, client: PgQueue, database: Database, end: str
) -> None:
    """U86: killed while it waits for the barrier's row; rolled back, so it runs again, on a new connection."""
    generation = fan.arm(1, policy="collect")
    (message,) = client.read("parts", vt=60)
    observer = database.connect()
    with fan.db.transaction():
        fan.db.execute("select from pgqueue.barrier where generation = %s for update", [generation])
        running = Background(lambda: client.run(ENDS[end](message)))
        ours = "application_name like 'pgqueue%%' and datname = current_database()"
        pid = scalar(observer, f"select pid from pg_stat_activity where {ours}")
        wait_until_blocked(observer, pid)
        observer.execute("select pg_terminate_backend(%s, 5000)", [pid])
    assert running.result() is Outcome.DONE
    assert fan.counts(generation)[0] == "done"
    assert len(fan.sent()) == 1


def test_arming_whose_answer_was_lost_is_in_doubt_and_not_repeated(
    fan: Fan, client: PgQueue, proxy: FaultProxy
) -> None:
    client.metrics("parts")
    proxy.lose_replies()
    with pytest.raises(InDoubt):
        barrier.arm(client, "b", [Part("parts", 1), Part("parts", 2)], Part("total", 3))
    assert len(fan.queue().ids()) == 2
    assert scalar(fan.db, "select count(*) from pgqueue.barrier") == 1


def test_claim_whose_answer_was_lost_is_left_to_lapse(client: PgQueue, proxy: FaultProxy, fan: Fan) -> None:
    client.metrics("parts")
    proxy.lose_replies()
    with pytest.raises(Unavailable):
        client.run(claims.try_claim("work", "7"))
    assert scalar(fan.db, "select count(*) from pgqueue.claim") == 1
    assert client.run(claims.try_claim("work", "7")) is None
