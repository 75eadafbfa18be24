"""Everything that a run will do, made from one seed before it starts."""

from __future__ import annotations

import json
import random
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

Kind = Literal["row", "log"]
Profile = Literal["everything", "short", "crash"]
READER_MODES = ("async", "sync", "tx", "async", "tx", "sync")
SERVER_FAULTS = ("immediate", "kill_server")
LENGTHS = {"snapshot": (2.0, 5.0), "long_writer": (1.5, 4.0), "prepared": (1.5, 4.0), "pause": (1.0, 3.0)}


@dataclass(frozen=True, slots=True)
class WorkerSpec:
    """One worker process. `hasty` is the share of its calls under a tiny statement_timeout."""

    name: str
    role: str
    seed: str
    mode: str = ""
    hasty: float = 0.0


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that happens `at` seconds after the start; `until` is when it heals, for those that last."""

    at: float
    fault: str
    victim: str = ""
    until: float | None = None


@dataclass(frozen=True, slots=True)
class Schedule:
    seed: int
    kind: Kind
    profile: Profile
    seconds: float
    vt: float
    settings: dict[str, Any] = field(default_factory=dict)
    workers: tuple[WorkerSpec, ...] = ()
    faults: tuple[Fault, ...] = ()

    def write(self, folder: Path) -> None:
        (folder / "schedule.json").write_text(json.dumps(asdict(self), indent=1) + "\n")


def make_schedule(seed: int, kind: Kind, profile: Profile, seconds: float, *, crashes: int = 0) -> Schedule:
    """Decide a run. The kind has no say in the choices: both kinds meet the same pressure."""
    chance = random.Random(f"{seed}/{profile}/{seconds}/{crashes}")
    vt = chance.choice([1.0, 1.5, 2.0]) if profile != "short" else 1.0
    workers = _workers(seed, profile, chance)
    if profile == "crash":
        faults = _crashes(chance, seconds, crashes)
    else:
        faults = _server_faults(chance, seconds, crashes) + _other_faults(chance, seconds, profile, workers)
    settings = {"vt": vt, "max_reads": 3, "repark_budget": 3, "health_stale": 60}
    ordered = tuple(sorted(faults, key=lambda fault: fault.at))
    return Schedule(seed, kind, profile, seconds, vt, settings, workers, ordered)


def _workers(seed: int, profile: Profile, chance: random.Random) -> tuple[WorkerSpec, ...]:
    writers, readers = (3, 4) if profile == "short" else (4, 6)
    hasty = chance.choice([0.0, 0.03, 0.1])
    made = [WorkerSpec(f"writer-{i}", "writer", f"{seed}/w{i}", hasty=hasty) for i in range(writers)]
    made += [
        WorkerSpec(f"reader-{i}", "reader", f"{seed}/r{i}", mode=READER_MODES[i], hasty=hasty)
        for i in range(readers)
    ]
    made.append(WorkerSpec("canceller-0", "canceller", f"{seed}/c"))
    if seed % 2 == 0:  # without one the promises hold as well
        made.append(WorkerSpec("maintainer-0", "maintainer", f"{seed}/m", hasty=hasty))
    return tuple(made)


def _crashes(chance: random.Random, seconds: float, times: int) -> list[Fault]:
    step = seconds / (times + 1)
    return [Fault(step * (i + 1) + chance.uniform(-0.2, 0.2) * step, "immediate") for i in range(times)]


def _server_faults(chance: random.Random, seconds: float, crashes: int) -> list[Fault]:
    """Both ways to lose a server, in the middle of the first and of the last third; the dump is between them."""
    times = crashes or (2 if seconds >= 15 else 1)
    first = chance.randrange(2)
    places = [0.25, 0.75, 0.88, 0.12][:times] if times <= 4 else [(i + 0.5) / times for i in range(times)]
    return [
        Fault(seconds * (place + chance.uniform(-0.04, 0.04)), SERVER_FAULTS[(first + i) % 2])
        for i, place in enumerate(places)
    ]


def _other_faults(
    chance: random.Random, seconds: float, profile: Profile, workers: tuple[WorkerSpec, ...]
) -> list[Fault]:
    readers = [w.name for w in workers if w.role == "reader"]
    writers = [w.name for w in workers if w.role == "writer"]
    wanted = ["kill_reader", "kill_writer", "terminate", "pause", "long_writer", "prepared"]
    if profile == "everything":
        wanted += ["snapshot", "kill_reader", "terminate"]
        wanted += chance.choices(["kill_reader", "kill_writer", "terminate", "pause"], k=int(seconds / 3))
        if chance.random() < 0.5:
            wanted.append("long_writer")
    faults = [Fault(seconds * chance.uniform(0.45, 0.55), "dump")]
    for name in wanted:
        at = chance.uniform(0.05, 0.9) * seconds
        if name in LENGTHS:
            victim = chance.choice(readers) if name == "pause" else ""
            faults.append(Fault(at, name, victim, until=at + chance.uniform(*LENGTHS[name])))
        elif name == "terminate":
            faults.append(Fault(at, name, chance.choice(readers + writers)))
        else:
            faults.append(Fault(at, "kill", chance.choice(readers if name == "kill_reader" else writers)))
    return faults
