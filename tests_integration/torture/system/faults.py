"""The faults that there are, by class, and how much of each a profile wants."""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

Seconds = tuple[float, float]


def _nothing(_: random.Random) -> float:
    return 0.0


@dataclass(frozen=True, slots=True)
class Kind:
    """One sort of fault. `kind` is its class. `lasts`: bounds of its length, none for a momentary one.

    `of_leaders`: only where processes maintain the database.

    `stops`: what stands still meanwhile. There is a limit to that: a run in which nothing moves shows nothing.
    """

    name: str
    kind: str
    lasts: Seconds | None = None
    weight: float = 1.0
    value: Callable[[random.Random], float] = _nothing
    supervised_only: bool = False
    stops: str = ""
    of_leaders: bool = False


def _step(chance: random.Random) -> float:
    """How far the database's clock goes: seconds, so that what is hidden by a step back comes within the bound."""
    return chance.choice([-1, 1]) * chance.uniform(1.0, 6.0)


ALL = [
    Kind("kill_worker", "kill", weight=3),
    Kind("kill_supervisor", "kill", supervised_only=True),
    Kind("kill_producer", "kill", weight=1.5),
    Kind("terminate_command", "kill"),  # SIGTERM, as in a rolling deploy
    Kind("kill_leader", "kill", weight=2, of_leaders=True),
    Kind("kill_maintainer", "kill", of_leaders=True),
    Kind("pause_leader", "pause", (2.0, 12.0), weight=2, of_leaders=True),
    Kind("pause_worker", "pause", (0.5, 6.0), weight=2),
    Kind("pause_command", "pause", (0.5, 6.0), supervised_only=True),
    Kind("pause_producer", "pause", (0.5, 3.0), weight=0.5, stops="producers"),
    Kind("cut_producers", "connection"),
    Kind("cut_consumers", "connection", weight=1.5),
    Kind("cut_listeners", "connection", weight=0.5),
    Kind("lose_replies_producers", "connection", (0.5, 1.5), value=lambda chance: chance.randint(1, 3)),
    Kind("lose_replies_consumers", "connection", (0.5, 1.5), 1.5, lambda chance: chance.randint(1, 6)),
    Kind("stall_producers", "connection", (0.5, 3.0), weight=0.5, stops="producers"),
    Kind("stall_consumers", "connection", (0.5, 5.0), stops="consumers"),
    Kind("black_hole_producers", "connection", (1.0, 4.0), weight=0.5, stops="producers"),
    Kind("black_hole_consumers", "connection", (1.0, 7.0), stops="consumers"),
    Kind("terminate_backends", "connection", value=lambda chance: chance.randint(1, 8)),
    Kind("pooler_kill", "pooler", (0.1, 2.0)),
    Kind("pooler_restart", "pooler", (0.0, 0.5)),
    Kind("pooler_pause", "pooler", (0.5, 6.5), stops="pooler"),
    Kind("pooler_kill_database", "pooler", (0.2, 2.0)),
    Kind("pooler_idle_timeout", "pooler", (3.0, 6.0)),
    Kind("immediate_stop", "server", (0.0, 2.5), weight=2, stops="server"),
    Kind("kill_postmaster", "server", (0.0, 1.0), weight=2, stops="server"),
    Kind("fast_stop", "server", (0.0, 2.5), stops="server"),
    Kind("kill_backend", "server", weight=0.5, stops="server"),
    Kind("clock_step", "clock", (1.0, 4.0), value=_step),
    Kind("snapshot", "load", (2.0, 6.0)),
    Kind("long_writer", "load", (1.0, 4.0)),
]
CLASSES = {
    name: [kind for kind in ALL if kind.kind == name] for name in dict.fromkeys(kind.kind for kind in ALL)
}


STANDSTILL_SPACING = 15.0
CRASHES = ("immediate_stop", "kill_postmaster")


@dataclass(frozen=True, slots=True)
class Profile:
    """Which classes a profile plays, a fault every `spacing` seconds; `poison`: of each sort, how many a minute.

    `barriers`, `claims`: how much of what producers do arms a barrier, or wants a claim. `maintainers`: how many
    processes run `pgqueue maintain`. `slots`: schedules are fired.
    """

    classes: dict[str, float] = field(default_factory=dict)
    spacing: float = 5.0
    poison: dict[str, float] = field(default_factory=dict)
    pooled: bool = False
    server_spacing: float = 12.0
    only: tuple[str, ...] = ()
    max_reads: int = 8
    barriers: float = 0.0
    claims: float = 0.0
    maintainers: int = 0
    slots: bool = False

    def of(self, name: str, *, supervised: bool) -> list[Kind]:
        """Return the faults of a class that this profile can play."""
        kinds = [kind for kind in CLASSES[name] if supervised or not kind.supervised_only]
        kinds = [kind for kind in kinds if self.maintainers or not kind.of_leaders]
        return [kind for kind in kinds if not self.only or kind.name in self.only]

    def most(self, stops: str, seconds: float) -> float:
        """Say how many faults may stop the same thing in a run."""
        if not stops:
            return math.inf
        return max(1, round(seconds / (self.server_spacing if stops == "server" else STANDSTILL_SPACING)))


OF_CLAIMS = (  # what befalls those who hold them
    "kill_worker", "kill_supervisor", "terminate_command", "pause_worker", "lose_replies_consumers", "terminate_backends",
)  # fmt: skip
OF_CRON = ("kill_leader", "kill_worker", "pause_leader", "clock_step")
PROFILES = {
    "kills": Profile({"kill": 3, "pause": 1}, 3.5),
    "net": Profile({"connection": 1}, 4.0),
    "kills+net": Profile({"kill": 2, "pause": 1, "connection": 2}, 2.5),
    "pooler": Profile({"pooler": 1}, 6.0, pooled=True),
    "server": Profile({"server": 2, "load": 1}, 8.0),
    "clock": Profile({"clock": 2, "pause": 1, "kill": 1}, 5.0),
    "poison": Profile(
        {"kill": 1}, 15.0, poison={"raise": 3, "kill": 2, "hang": 1, "block": 0.5}, max_reads=4
    ),
    "barrier": Profile(
        {"kill": 3, "pause": 1, "connection": 1},
        3.5,
        poison={"raise": 2, "kill": 2},
        max_reads=4,
        barriers=0.2,
    ),
    "claim": Profile({"kill": 3, "pause": 1, "connection": 1}, 2.5, only=OF_CLAIMS, claims=0.25),
    "cron": Profile({"kill": 2, "pause": 1, "clock": 2}, 4.0, only=OF_CRON, maintainers=2, slots=True),
    "leader": Profile(
        {"kill": 3, "pause": 2, "connection": 1, "clock": 1},
        4.0,
        only=(*OF_CRON, "kill_maintainer", "cut_consumers", "stall_consumers"),
        barriers=0.1,
        maintainers=3,
        slots=True,
    ),
    "calm": Profile(),
    "everything": Profile(
        {"kill": 3, "pause": 1.5, "connection": 3, "pooler": 1.5, "server": 1.5, "clock": 1, "load": 0.5},
        4.5,
        poison={"raise": 1, "kill": 0.5, "hang": 0.5, "block": 0.5},
        pooled=True,
        server_spacing=25.0,
        barriers=0.05,
        claims=0.04,
        maintainers=2,
        slots=True,
    ),
    # Controls: something is broken on purpose, and these faults have to show it.
    "relaxed": Profile({"server": 1}, 6.0, server_spacing=6.0, only=CRASHES),
    "volatile": Profile({"server": 1}, 10.0, server_spacing=10.0, only=CRASHES),
    "early_ack": Profile({"kill": 1}, 2.0, only=("kill_worker",)),
}


def draw_all(profile: Profile, seconds: float, chance: random.Random, *, supervised: bool) -> list[Kind]:
    """Draw one fault of each class, then by weight of class and kind, as many as fit into the run."""
    number = max(4, len(profile.classes), round(seconds / profile.spacing)) if profile.classes else 0
    classes = list(profile.classes)
    drawn: list[Kind] = []
    stopped: Counter[str] = Counter()
    while len(drawn) < number and classes:
        first = len(drawn) < len(profile.classes) and len(classes) == len(profile.classes)
        name = classes[len(drawn)] if first else _weighted(classes, profile, chance)
        kinds = [
            kind
            for kind in profile.of(name, supervised=supervised)
            if stopped[kind.stops] < profile.most(kind.stops, seconds)
        ]
        if not kinds:
            classes.remove(name)
            continue
        kind = chance.choices(kinds, [kind.weight for kind in kinds])[0]
        stopped[kind.stops] += 1
        drawn.append(kind)
    return chance.sample(drawn, len(drawn))


def _weighted(classes: list[str], profile: Profile, chance: random.Random) -> str:
    return chance.choices(classes, [profile.classes[name] for name in classes])[0]
