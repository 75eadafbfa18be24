"""The messages of the load: what each asks its handler to do."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any

from tests_integration.torture.system.recorder import payload_hash

TASKS = ("torture.awaited", "torture.threaded")


@dataclass(slots=True)
class Draft:
    """A message before it is sent. `kind` is what the checker is told about it."""

    uid: str
    kind: str
    message: Any
    key: str | None = None
    delay: float = 0.0

    @property
    def hash(self) -> int:
        return payload_hash(self.message)


def ordinary(uid: str, chance: random.Random, *, tx: bool) -> Draft:
    """Make a message that ends well: 0-20 ms, one in a hundred 0.5-3 s, some with effects, some fail at first."""
    ms = chance.randint(0, 20) if chance.random() >= 0.01 else chance.randint(500, 3000)
    what = chance.random()
    if what < 0.25 and tx:
        times = 1 if chance.random() < 0.1 else 0
        return task(uid, "tx", chance, ms=min(ms, 20), times=times)
    if what < 0.29:
        mode = chance.choice(["raise", "retry", "release"])
        return task(uid, "flaky", chance, ms=ms, times=chance.randint(1, 2), mode=mode)
    if what < 0.295:
        return task(uid, "bury", chance, ms=ms)
    return task(uid, "plain" if ms < 1000 else "long", chance, ms=ms)


def poisonous(uid: str, mode: str, chance: random.Random) -> Draft:
    """Make a message that is never handled: see `schedule.Poison`."""
    if mode in ("hang", "block"):
        draft = task(uid, "stale", chance, ms=0, mode=mode)
        draft.message["task"] = TASKS[mode == "hang"]
        return draft
    return task(uid, "poison", chance, ms=chance.randint(0, 20), mode=mode)


def orchestrators(uid: str, chance: random.Random) -> list[Draft]:
    """Make a few messages that all want the claim on one key; some work for longer than their lease, some fail."""
    key = f"orchestrate-{uid}"
    drafts = []
    for n in range(chance.choice([1, 1, 2, 3, 4])):
        ms = chance.randint(0, 60) if chance.random() < 0.5 else chance.randint(900, 2500)
        times = 1 if chance.random() < 0.15 else 0
        claim = {"key": key, "lease": chance.choice([1, 1, 3, 12])}
        drafts.append(task(f"{uid}-{n}", "claim", chance, ms=ms, times=times, claim=claim))
        drafts[-1].delay = chance.choice([0.0, 0.0, 0.4, 1.2, 2.0]) if n else 0.0
    return drafts


def malformed(uid: str) -> Draft:
    """Make a message that is no task message."""
    return Draft(uid, "malformed", {"uid": uid, "what": "no task"})


def task(uid: str, kind: str, chance: random.Random, **told: Any) -> Draft:
    kwargs = {"uid": uid, "kind": kind} | told
    return Draft(uid, kind, {"task": chance.choice(TASKS), "args": [], "kwargs": kwargs})
