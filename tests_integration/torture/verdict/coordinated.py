"""What is known of barriers, claims, schedules and leaders: what was asked for, what the server noted, what is left."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field

from tests_integration.torture.verdict.lines import Fields, Op, Spoken

Sent = list[str | int]  # queue, uid, hash, kind of a message that a barrier sends


@dataclass(slots=True, eq=False)
class Arm:
    """One call that armed a barrier, or may have. `generation` is what it was answered."""

    op: Op
    key: str
    parts: list[Sent]
    callback: Sent
    failure: Sent | None
    replaces: bool
    fire_empty: bool
    generation: int | None

    @property
    def may_exist(self) -> bool:
        return self.op.kind != "fail" and bool(self.parts or self.fire_empty)


@dataclass(slots=True, eq=False)
class Barrier:
    """One row of the end, the turns that the server noted of it, and the messages that were sent in its name."""

    row: Fields
    turns: list[Fields] = field(default_factory=list)
    fired: list[Fields] = field(default_factory=list)
    arm: Arm | None = None

    @property
    def generation(self) -> int:
        number: int = self.row["generation"]
        return number

    @property
    def state(self) -> str:
        word: str = self.row["state"]
        return word


@dataclass(slots=True)
class Coordination:
    """`claims`: by name and key, every version of the row in order. `callers`: the calls about a claim, by the same.

    `plans`: by schedule, each slot that it went on to, in order. `slots`: by schedule, the messages that it has sent.
    `leads`: by name, every version of a leader's lease; `sweeps`: each begin of a chore.
    """

    arms: list[Arm] = field(default_factory=list)
    barriers: dict[int, Barrier] = field(default_factory=dict)
    aborts: list[Spoken] = field(default_factory=list)
    claims: dict[tuple[str, str], list[Fields]] = field(default_factory=lambda: defaultdict(list))
    callers: dict[tuple[str, str], list[Spoken]] = field(default_factory=lambda: defaultdict(list))
    told_by: dict[Op, int] = field(default_factory=dict)  # run of a handler: the barrier that it was shown
    plans: dict[str, list[Fields]] = field(default_factory=lambda: defaultdict(list))
    slots: dict[str, list[Fields]] = field(default_factory=lambda: defaultdict(list))
    stopped: int | None = None  # until when slots were to be fired, by the clock of the schedules
    leads: dict[str, list[Fields]] = field(default_factory=lambda: defaultdict(list))
    sweeps: list[Fields] = field(default_factory=list)
    unknown: list[Fields] = field(default_factory=list)  # noted by the server of barriers that are not there
