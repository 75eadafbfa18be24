"""One lease, several processes, virtual time: who leads, who steps down, who takes over and when."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from pgqueue.errors import PermissionDenied, Unavailable
from pgqueue.leadership.lease import ANOTHER_LEADS, NO_ANSWER, Lease
from pgqueue.leadership.model import Terms
from tests.leadership.server import Server, Way
from tests.simulation.virtual_time import VirtualLoop, simulate

TERMS = Terms(lease=10, interval=3)


def story(main: Callable[[Server], Coroutine[Any, Any, Any]]) -> Any:
    async def told(loop: VirtualLoop) -> Any:
        return await main(Server(loop))

    return simulate(told)


def process(server: Server, name: str) -> tuple[Way, Lease]:
    way = Way(server)
    return way, Lease(way, "reaper", name, TERMS, chance=lambda: 1.0)


def test_one_leads_and_the_other_waits() -> None:
    async def main(server: Server) -> None:
        (_, one), (_, two) = process(server, "one"), process(server, "two")
        await one.win()
        keeping, waiting = asyncio.create_task(one.keep()), asyncio.create_task(two.win())
        await asyncio.sleep(100)
        assert one.leads()
        assert not two.leads()
        assert not keeping.done()
        assert not waiting.done()

    story(main)


@pytest.mark.parametrize("died_after", [0.0, 1.0, 2.5, 8.0, 31.7])
def test_a_dead_leader_is_replaced_as_soon_as_its_lease_lapses(died_after: float) -> None:
    """A standby knows when the lease lapses, and asks then; it doesn't add an interval."""

    async def main(server: Server) -> float:
        (_, one), (_, two) = process(server, "one"), process(server, "two")
        await one.win()
        keeping, waiting = asyncio.create_task(one.keep()), asyncio.create_task(two.win())
        await asyncio.sleep(died_after)
        keeping.cancel()  # dead: nothing is said to the server
        died = server.now
        await waiting
        assert two.leads()
        return server.now - died

    assert TERMS.lease - TERMS.interval <= story(main) <= TERMS.lease + 0.2


def test_a_lease_that_was_given_back_is_taken_within_the_interval() -> None:
    async def main(server: Server) -> float:
        (_, one), (_, two) = process(server, "one"), process(server, "two")
        await one.win()
        waiting = asyncio.create_task(two.win())
        await asyncio.sleep(1)
        await one.resign()
        resigned = server.now
        await waiting
        return server.now - resigned

    assert story(main) <= TERMS.interval


def test_who_lost_the_lease_gives_nothing_back() -> None:
    """U127"""

    async def main(server: Server) -> None:
        (way, one), (_, two) = process(server, "one"), process(server, "two")
        await one.win()
        await asyncio.sleep(11)
        await two.win()
        one.step_down(ANOTHER_LEADS)
        await one.resign()
        assert "leadership.resign" not in way.names()
        assert server.row is not None
        assert server.row.holder == "two"

    story(main)


def test_a_renewal_that_is_refused_ends_the_leadership() -> None:
    """U127"""

    async def main(server: Server) -> str:
        _, one = process(server, "one")
        await one.win()
        assert server.row is not None
        server.row.holder = "two"
        return await one.keep()

    assert story(main) == ANOTHER_LEADS


def test_a_renewal_that_raises_ends_the_leadership_at_once() -> None:
    """U127"""

    async def main(server: Server) -> tuple[str, float]:
        way, one = process(server, "one")
        await one.win()
        way.cut = True
        return await one.keep(), server.now

    why, at = story(main)
    assert "cut" in why
    assert at <= TERMS.interval + 0.1


def test_a_renewal_without_an_answer_ends_the_leadership_before_another_may_lead() -> None:
    async def main(server: Server) -> None:
        way, one = process(server, "one")
        await one.win()
        way.slow["leadership.renew"] = 60
        assert await one.keep() == NO_ANSWER
        assert server.row is not None
        assert server.now <= server.row.until

    story(main)


def test_a_process_that_was_stopped_for_longer_than_its_lease_knows_it_before_anybody_says_so() -> None:
    async def main(server: Server) -> None:
        way, one = process(server, "one")
        await one.win()
        way.slow["leadership.renew"] = 1000  # stopped: nothing of it runs
        await asyncio.sleep(9)
        assert one.leads()
        await asyncio.sleep(2)
        assert not one.leads()
        assert one.token is not None

    story(main)


def test_a_database_that_is_down_is_asked_seldomer_and_seldomer() -> None:
    async def main(server: Server) -> list[float]:
        way, one = process(server, "one")
        way.cut = True
        trying = asyncio.create_task(one.win())
        await asyncio.sleep(60)
        way.cut = False
        await trying
        return way.times("leadership.try")

    times = story(main)
    gaps = [round(b - a, 3) for a, b in itertools.pairwise(times)]
    assert gaps == sorted(gaps)
    assert len(times) < 60


def test_a_role_that_may_not_lead_is_told_once_and_asks_once_a_minute(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def main(server: Server) -> int:
        way, one = process(server, "one")
        way.refusals["leadership.try"] = PermissionDenied("no right to try_lead")
        trying = asyncio.create_task(one.win())
        await asyncio.sleep(601)
        way.refusals.clear()
        await trying
        return len(way.called)

    assert story(main) <= 12
    said = [record for record in caplog.records if "leader.refused" in str(record.msg)]
    assert [record.levelname for record in said] == ["ERROR"]


def test_a_lease_that_can_not_be_given_back_keeps_the_end_waiting_two_seconds_at_most() -> None:
    async def main(server: Server) -> float:
        way, one = process(server, "one")
        await one.win()
        way.slow["leadership.resign"] = 60
        began = server.now
        await one.resign()
        way.cut = True
        return server.now - began

    assert story(main) == pytest.approx(2.0)


def test_a_failed_resignation_is_swallowed() -> None:
    async def main(server: Server) -> None:
        way, one = process(server, "one")
        await one.win()
        way.refusals["leadership.resign"] = Unavailable("gone")
        await one.resign()
        assert not one.leads()

    story(main)
