"""The barriers of the system's torture run: plain JSON, in all sorts, and the checker is told what will be sent."""

from __future__ import annotations

import json
import random
from typing import Any

from tests_integration.torture.system import fanout
from tests_integration.torture.system.message import Draft, orchestrators
from tests_integration.torture.system.recorder import payload_hash
from tests_integration.torture.verdict.shapes import SHAPES, misfit

QUEUES = ["a", "b"]


def plans(number: int = 300) -> list[fanout.Plan]:
    return [fanout.draw(random.Random(seed), f"u{seed}", QUEUES) for seed in range(number)]


def floats(value: Any) -> list[float]:
    if isinstance(value, float):
        return [value]
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [found for one in inner for found in floats(one)]


def test_a_barrier_survives_the_way_through_jsonb() -> None:
    for plan in plans():
        assert json.loads(json.dumps(plan)) == plan
        assert floats(plan) == []


def test_there_are_barriers_of_all_sorts() -> None:
    made = plans()
    options = [plan["options"] for plan in made]
    assert {one["policy"] for one in options} == {"abort", "collect", "retry"}
    assert {len(plan["parts"]) for plan in made} >= {0, 1, 2, 9}
    assert any(one["new_generation"] for one in options)
    assert any(one["deadline"] <= 3 for one in options)
    assert any(plan["failure"] for plan in made)
    kinds = {kind for plan in made for _, _, kind, _ in plan["parts"]}
    assert kinds >= {"plain", "tx", "flaky", "bury"}
    assert any("nest" in plan["callback"][3]["kwargs"] for plan in made)


def test_the_checker_is_told_what_the_barrier_will_send() -> None:
    for plan in plans(30):
        told = fanout.told(plan)
        assert misfit(told, SHAPES["arm"].invoke) == ""
        message = plan["callback"][3]
        sent = message | {"kwargs": message["kwargs"] | {"_pg_transport": True}}
        assert told["callback"] == [
            plan["callback"][0],
            plan["callback"][1],
            payload_hash(sent),
            plan["callback"][2],
        ]


def test_a_poison_is_a_part_like_others_and_the_barrier_outlives_it() -> None:
    poison = Draft("p", "poison", {"task": "t", "args": [], "kwargs": {"uid": "p"}})
    plan = fanout.around(random.Random(1), "u", QUEUES, poison, "a", 120)
    assert plan["parts"][0] == ["a", "p", "poison", poison.message]
    assert plan["options"]["deadline"] > 60


def test_orchestrators_of_one_key() -> None:
    for seed in range(50):
        drafts = orchestrators("u", random.Random(seed))
        assert len({draft.message["kwargs"]["claim"]["key"] for draft in drafts}) == 1
        assert len({draft.uid for draft in drafts}) == len(drafts)
