"""`claim.once` and the calls, with a real client."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from pgqueue import AsyncPgQueue, PgQueue, claim
from pgqueue.claim import calls
from pgqueue.errors import ClaimHeld, ClaimLost, InvalidInput
from tests_integration.fixtures.clock import Clock
from tests_integration.fixtures.database import Database
from tests_integration.fixtures.door import Door


@pytest.fixture
def client(door: Door) -> Iterator[PgQueue]:
    with PgQueue(door.conninfo) as made:
        yield made


def test_work_is_done_once(client: PgQueue) -> None:
    done: list[int] = []

    def work() -> str:
        done.append(1)
        return "started"

    assert claim.once(client, "orchestrate", "7", work) == "started"
    assert claim.once(client, "orchestrate", "7", work) == claim.SKIPPED_DUPLICATE
    assert claim.once(client, "orchestrate", "8", work) == "started"
    assert done == [1, 1]
    (last, first) = client.run(calls.claims("orchestrate"))
    assert (first.key, first.state, last.state) == ("7", "done", "done")


def test_failed_work_gives_the_claim_back(client: PgQueue) -> None:
    def work() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        claim.once(client, "orchestrate", "7", work)
    assert claim.once(client, "orchestrate", "7", lambda: "again") == "again"


def test_what_was_finished_elsewhere_is_not_done_and_keeps_its_tombstone(client: PgQueue) -> None:
    """U121"""
    answer = claim.once(client, "orchestrate", "7", lambda: "x", finished=lambda: True)
    assert answer == claim.SKIPPED_TERMINAL
    assert claim.once(client, "orchestrate", "7", lambda: "x") == claim.SKIPPED_DUPLICATE
    assert claim.once(client, "orchestrate", "8", lambda: "x", finished=lambda: False) == "x"


def test_what_a_dead_holder_left_is_skipped_by_nobody_and_had_after_its_lease(
    database: Database, clock: Clock
) -> None:
    """F51"""
    with PgQueue(database.conninfo) as client:
        assert client.run(calls.try_claim("orchestrate", "7", 60)) is not None  # and dies
        clock.advance(15)
        with pytest.raises(ClaimHeld) as caught:
            claim.once(client, "orchestrate", "7", lambda: "x")
        assert caught.value.seconds == 45
        clock.advance(45)
        assert claim.once(client, "orchestrate", "7", lambda: "x") == "x"
        assert claim.once(client, "orchestrate", "7", lambda: "x") == claim.SKIPPED_DUPLICATE


def test_who_lost_the_claim_while_working_is_told(database: Database, clock: Clock) -> None:
    with PgQueue(database.conninfo) as client:

        def work() -> str:
            clock.advance(61)
            assert claim.once(client, "orchestrate", "7", lambda: "other") == "other"
            return "late"

        with pytest.raises(ClaimLost, match="was lost"):
            claim.once(client, "orchestrate", "7", work)


def test_async_work_is_done_once(database: Database) -> None:
    async def walk() -> list[object]:
        async def work() -> str:
            return "started"

        async def fail() -> str:
            raise ZeroDivisionError

        async def finished() -> bool:
            return True

        async with AsyncPgQueue(database.conninfo) as client:
            with pytest.raises(ZeroDivisionError):
                await claim.once_async(client, "o", "7", fail)
            return [
                await claim.once_async(client, "o", "7", work),
                await claim.once_async(client, "o", "7", work),
                await claim.once_async(client, "o", "8", work, finished=finished),
            ]

    assert asyncio.run(walk()) == ["started", claim.SKIPPED_DUPLICATE, claim.SKIPPED_TERMINAL]


def test_verbs_through_a_client_and_on_a_connection(client: PgQueue, database: Database) -> None:
    token = client.run(calls.try_claim("work", "7", lease=5, holder="me"))
    assert token is not None
    assert client.run(calls.try_claim("work", "7")) is None
    client.run(calls.renew("work", "7", token))
    with database.connect(autocommit=False) as connection:
        PgQueue(database.conninfo).on(connection).run(calls.finish("work", "7", token))
        connection.rollback()
    assert client.run(calls.release("work", "7", token)) is True
    assert client.run(calls.release("work", "7", token + 1)) is False
    with pytest.raises(ClaimLost) as caught:
        client.run(calls.finish("work", "7", token))
    assert caught.value.sqlstate == "PQ013"
    assert client.run(calls.forget()) == 0
    with pytest.raises(InvalidInput, match="lease"):
        calls.try_claim("work", "7", lease=0)
