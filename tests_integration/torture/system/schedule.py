"""Everything that a run will do, made from one seed before it starts. The nemesis only plays it."""

from __future__ import annotations

import json
import random
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from tests_integration.torture.system.faults import PROFILES, draw_all

QUEUES = {"log": "torture_log", "row": "torture_row"}
VT = 3.0
BIG = 90  # seconds: from here on with more processes and a higher rate
LITTLE = 45  # seconds: a shorter run makes up for it by its rate
BUSY = (0.06, 0.88)  # faults begin within this part of the load
CONTROLS = ("relaxed", "volatile", "early_ack")  # the system is broken on purpose: loss has to be found


@dataclass(frozen=True, slots=True)
class Fault:
    """Happens `at` seconds after the start of the load and is healed at `until`.

    `pick` (0..1) chooses among the victims of the moment; `value` is what the fault needs beside that.
    """

    id: int
    fault: str
    kind: str  # its class, in the checker's words
    at: float
    until: float | None
    pick: float
    value: float = 0.0


@dataclass(frozen=True, slots=True)
class Poison:
    """A message that its handler never survives: `raise` every time, `kill` the interpreter; at its first run
    `hang` in a thread, or `block` the event loop.
    """

    at: float
    queue: str
    mode: str


@dataclass(frozen=True, slots=True)
class Schedule:
    seed: int
    profile: str
    seconds: float
    queues: dict[str, dict[str, Any]]
    producers: int
    consumers: list[dict[str, Any]]
    rate: float
    pooled: bool
    faults: list[Fault] = field(default_factory=list)
    poisons: list[Poison] = field(default_factory=list)
    kind: str = "both"
    barriers: float = 0.0
    claims: float = 0.0
    maintainers: int = 0
    slots: bool = False

    @property
    def control(self) -> str:
        return self.profile if self.profile in CONTROLS else ""

    def write(self, folder: Path) -> None:
        """Write schedule.json, in the checker's words."""
        told = asdict(self)
        for fault in told["faults"]:
            fault["class"] = fault.pop("kind")
        (folder / "schedule.json").write_text(json.dumps(told, indent=1) + "\n")


def make_schedule(
    seed: int, profile: str, seconds: float, *, kind: str = "both", supervised: bool = False
) -> Schedule:
    """Decide a run. `supervised` says that the command under test has a supervisor, which can be a victim."""
    chance = random.Random(f"{seed}/{profile}/{seconds}")
    big = seconds >= BIG
    kinds = ("log", "row") if kind == "both" else (kind,)
    queues = {QUEUES[one]: _settings(one, PROFILES[profile].max_reads, chance) for one in kinds}
    return Schedule(
        seed=seed,
        profile=profile,
        seconds=seconds,
        queues=queues,
        producers=2 if big else 1,
        consumers=_consumers(profile, chance, big=big, supervised=supervised),
        rate=200.0 if big else 100.0 if seconds >= LITTLE else 150.0,
        pooled=chance.random() < 0.6 or PROFILES[profile].pooled,
        faults=_faults(profile, seconds, chance, supervised=supervised),
        poisons=_poisons(profile, seconds, list(queues), chance, supervised=supervised),
        kind=kind,
        barriers=PROFILES[profile].barriers,
        claims=PROFILES[profile].claims,
        maintainers=PROFILES[profile].maintainers,
        slots=PROFILES[profile].slots,
    )


def _settings(kind: str, max_reads: int, chance: random.Random) -> dict[str, Any]:
    settings: dict[str, Any] = {
        "vt": VT,
        "health_stale": 12,
        "max_reads": max_reads,
        "repark_seconds": 1,
        "repark_budget": 3,
        "unknown_grace": 5,
        "backoff": {"base": 0.2, "factor": 2, "cap": 2, "jitter": 0.2},
        "ack_commit": chance.choice(["async", "async", "sync"]),
        "archive": chance.random() < 0.25,
    }
    return {"kind": kind, "settings": settings}


def _consumers(profile: str, chance: random.Random, *, big: bool, supervised: bool) -> list[dict[str, Any]]:
    """Two commands in a small run, of two processes each in a big one; without a supervisor as many alone."""
    processes = (2 if big else 1) if supervised else 0
    commands = 4 if big and not supervised else 2
    made: list[dict[str, Any]] = [
        {"processes": processes, "concurrency": 2, "listen": True, "skew": 0, "maintain": True}
        for _ in range(commands)
    ]
    made[-1]["listen"] = chance.random() < 0.5
    if PROFILES[profile].maintainers:
        made[0]["maintain"] = chance.random() < 0.5
    if "clock" in PROFILES[profile].classes and (profile == "clock" or chance.random() < 0.5):
        made[0]["skew"] = chance.choice([-1, 1]) * chance.randint(3_600, 90_000)
    return made


def _faults(profile: str, seconds: float, chance: random.Random, *, supervised: bool) -> list[Fault]:
    """Give each fault its share of the time, so that they are spread but overlap; and what it needs beside."""
    kept = draw_all(PROFILES[profile], seconds, chance, supervised=supervised)
    faults = []
    for place, kind in enumerate(kept):
        width = (BUSY[1] - BUSY[0]) * seconds / len(kept)
        at = BUSY[0] * seconds + (place + chance.random()) * width
        lasts = chance.uniform(*kind.lasts) if kind.lasts else None
        until = None if lasts is None else min(at + lasts, seconds)
        pick, value = chance.random(), kind.value(chance)
        faults.append((round(at, 3), kind, None if until is None else round(until, 3), pick, value))
    faults.sort(key=lambda fault: fault[0])
    return [
        Fault(number, kind.name, kind.kind, at, until, pick, value)
        for number, (at, kind, until, pick, value) in enumerate(faults, 1)
    ]


def _poisons(
    profile: str, seconds: float, queues: list[str], chance: random.Random, *, supervised: bool
) -> list[Poison]:
    """Plan poison in the first part of the run: it needs its eight claims, each after a death, to end."""
    modes = [
        mode
        for mode, a_minute in PROFILES[profile].poison.items()
        if supervised or mode not in ("hang", "block")  # who hangs is replaced by the supervisor
        if seconds >= BIG or mode != "block"  # of two processes one is often on its way up
        for _ in range(max(1, round(a_minute * seconds / 60)))
    ]
    return [
        Poison(round(chance.uniform(0.05, 0.4) * seconds, 3), chance.choice(queues), mode) for mode in modes
    ]
