"""Barriers of the load: what is armed, as plain JSON, so that a callback can carry the barrier that it arms in turn."""

from __future__ import annotations

import random
from typing import Any

from pgqueue import barrier
from pgqueue.barrier import Options, Part
from pgqueue.barrier.model import TRANSPORT_MARK
from tests_integration.torture.system.message import Draft, ordinary, task
from tests_integration.torture.system.recorder import payload_hash

Plan = dict[str, Any]  # key, parts, callback, failure, options; a message is [queue, uid, kind, payload]
LONG = 20  # seconds until a barrier expires for sure, so that the drain sees the end of all
SIZES = (0, 1, 1, 2, 2, 3, 4, 6, 9)
SHARED_KEYS = 3


def draw(chance: random.Random, uid: str, queues: list[str], *, deeper: bool = True) -> Plan:
    """Make a barrier: some can't be met in time, some share their key, some of their parts are buried."""
    size = chance.choice(SIZES)
    tight = chance.random() < 0.12
    shared = chance.random() < 0.1
    plan: Plan = {
        "key": f"shared-{chance.randrange(SHARED_KEYS)}" if shared else f"barrier-{uid}",
        "parts": [_drawn(chance, queues, _part(f"{uid}-p{n}", chance, slow=tight)) for n in range(size)],
        "callback": _drawn(chance, queues, _callback(f"{uid}-done", chance)),
        "failure": None,
        "options": {
            "policy": chance.choice(["abort", "collect", "collect", "retry"]),
            "deadline": chance.randint(1, 3) if tight else LONG,
            "stall_after": 2 if tight and chance.random() < 0.3 else LONG,
            "retries": 2,
            "fire_empty": chance.random() < 0.7,
            "new_generation": shared and chance.random() < 0.6,
        },
    }
    if chance.random() < 0.5:
        plan["failure"] = _drawn(chance, queues, _plain(f"{uid}-failed", chance))
    if deeper and chance.random() < 0.2:
        # The effect, the next barrier and the ack are one transaction.
        inner = draw(chance, f"{uid}-n", queues, deeper=False)
        plan["callback"] = _drawn(chance, queues, _plain(f"{uid}-done", chance, kind="tx", nest=inner))
    return plan


def around(
    chance: random.Random, uid: str, queues: list[str], poison: Draft, queue: str, seconds: float
) -> Plan:
    """Make a barrier of which one part is never handled; long enough for the sweep to find that out, if the run is."""
    plan = draw(chance, uid, queues, deeper=False)
    plan["key"] = f"barrier-{uid}"
    plan["parts"] = [[queue, poison.uid, poison.kind, poison.message], *plan["parts"]]
    plan["options"] |= {
        "policy": chance.choice(["abort", "collect"]),
        "deadline": max(LONG, round(seconds * 0.6)),
    }
    return plan


def told(plan: Plan) -> dict[str, Any]:
    """Say what is armed, for the history."""
    options = plan["options"]
    return {
        "barrier": plan["key"],
        "policy": options["policy"],
        "fire_empty": options["fire_empty"],
        "new_generation": options["new_generation"],
        "parts": [_said(part) for part in plan["parts"]],
        "callback": _said(plan["callback"], marked=True),
        "failure": _said(plan["failure"], marked=True) if plan["failure"] else None,
    }


def arm(target: Any, plan: Plan) -> Any:
    """Arm it on whatever is at hand; return the generation, or an awaitable of it."""
    parts = [Part(queue, message) for queue, _, _, message in plan["parts"]]
    callback, failure = plan["callback"], plan["failure"]
    on_failure = Part(failure[0], failure[3]) if failure else None
    options = Options(**plan["options"], on_failure=on_failure)
    return barrier.arm(target, plan["key"], parts, Part(callback[0], callback[3]), options)


def _drawn(chance: random.Random, queues: list[str], draft: Draft) -> list[Any]:
    return [chance.choice(queues), draft.uid, draft.kind, draft.message]


def _said(message: list[Any], *, marked: bool = False) -> list[Any]:
    """Return queue, uid, hash and kind of a message; `marked`: as a barrier sends it at its end."""
    queue, uid, kind, payload = message
    if marked:
        payload = payload | {"kwargs": payload["kwargs"] | {TRANSPORT_MARK: True}}
    return [queue, uid, payload_hash(payload), kind]


def _part(uid: str, chance: random.Random, *, slow: bool) -> Draft:
    if slow:
        return _plain(uid, chance, ms=chance.randint(300, 2500))
    if chance.random() < 0.04:
        return _plain(uid, chance, kind="bury")
    return ordinary(uid, chance, tx=True)


def _callback(uid: str, chance: random.Random) -> Draft:
    kind = chance.choice(["plain", "tx", "flaky"])
    return _plain(uid, chance, kind=kind, times=chance.randint(0, 1), mode="raise")


def _plain(uid: str, chance: random.Random, *, kind: str = "plain", **more: Any) -> Draft:
    return task(uid, kind, chance, **({"ms": chance.randint(0, 20)} | more))
