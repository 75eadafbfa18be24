"""The wire is cut at every message that a client sends: before it arrives, and before its answer comes back.

That is every position at which an answer can be lost. How many there are is counted in a run without a cut.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from tenacity import wait_none

from tests_integration.db.client_messages import WireCut
from tests_integration.db.fault_proxy import FaultProxy
from tests_integration.db.faults import Events
from tests_integration.faults.bench import Bench
from tests_integration.faults.conftest import Tell
from tests_integration.faults.trip import SIDES, Side, Trip
from tests_integration.faults.wire_scenarios import SCENARIOS, Scenario
from tests_integration.fixtures.database import Database

Enumerate = Callable[[Scenario, Callable[[str], Side]], int]


@pytest.fixture(autouse=True)
def without_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """The pauses before a repeat have tests of their own; here they would be minutes."""
    monkeypatch.setattr("pgqueue.db.runner.REPEAT_PAUSE", 0.0)
    monkeypatch.setattr("pgqueue.db.connect.wait_exponential", lambda **_: wait_none())


# Neither side knows what kind of queue it talks to: each kind is tried with one of them.
KINDS = {"sync": "log", "async": "row"}


@pytest.fixture
def bench(request: pytest.FixtureRequest, database: Database) -> Bench:
    side = request.node.callspec.params.get("side", "sync")
    return Bench(database, KINDS[side])


@pytest.fixture
def enumerate_cuts(bench: Bench, database: Database, proxy: FaultProxy, events: Events) -> Enumerate:
    """Cut a scenario at every message in both ways, and judge each run; returns how many cuts that were."""
    dsn = proxy.conninfo(database.conninfo)

    def run(scenario: Scenario, open_side: Callable[[str], Side], cut: WireCut) -> Trip:
        name = f"{'after' if cut.after else 'before'} {cut.at}"
        given = scenario.prepare(bench, name)
        with contextlib.closing(open_side(dsn)) as side:
            trip = Trip(name, side, proxy, cut, events, given)
            scenario.play(trip)
        bench.settled_down()
        return trip

    def enumerate_all(scenario: Scenario, open_side: Callable[[str], Side]) -> int:
        plain = run(scenario, open_side, WireCut())
        scenario.judge(plain, plain, bench)
        cuts = [WireCut(at, after) for at in range(1, len(plain.cut.passed) + 1) for after in (False, True)]
        for cut in cuts:
            trip = run(scenario, open_side, cut)
            assert cut.at is not None
            assert cut.met == plain.cut.passed[cut.at - 1], "the same messages come in the same order"
            scenario.judge(trip, plain, bench)
        return len(cuts)

    return enumerate_all


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_wherever_the_wire_is_cut_nothing_is_lost_and_nothing_doubled_unsaid(
    scenario: str, side: str, enumerate_cuts: Enumerate, tell: Tell
) -> None:
    cuts = enumerate_cuts(SCENARIOS[scenario], SIDES[side])
    tell("wire cuts", f"{scenario} ({side})", cuts)


def _ends_without_the_ack(course: Any, _: object) -> Iterator[object]:
    course._committing = True
    return iter(())


FAULTS: dict[str, tuple[str, str, Callable[..., object]]] = {
    "repeats every send": ("send without key", "pgqueue.db.attempt.repeatable", lambda *_, **__: True),
    "never repeats": ("read, delete", "pgqueue.db.attempt.repeatable", lambda *_, **__: False),
    "acks apart from the effect": (
        "read, ctx.tx",
        "pgqueue.db.transaction._Course.closing",
        _ends_without_the_ack,
    ),
}


@pytest.mark.parametrize("planted", FAULTS)
def test_a_client_with_a_fault_is_caught(
    planted: str, enumerate_cuts: Enumerate, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A test of the test."""
    scenario, place, fault = FAULTS[planted]
    monkeypatch.setattr(place, fault)
    with pytest.raises(AssertionError):
        enumerate_cuts(SCENARIOS[scenario], SIDES["sync"])
