"""What the checks look at: every message's life, put together from the lines of all processes."""

from __future__ import annotations

import enum
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from tests_integration.torture.verdict.clock import Clock
from tests_integration.torture.verdict.coordinated import Coordination
from tests_integration.torture.verdict.faults import Faults, Window
from tests_integration.torture.verdict.lines import Fields, Op
from tests_integration.torture.verdict.processes import Processes

DONE, RELEASE, EXTEND = "done", "release", "set_vt"
HANGS = "stale"  # the kind of message that never returns until its worker is replaced
ENDINGS = frozenset({"delete", "archive", "bury"})


class Fate(enum.Enum):
    """Whether an effect lasts."""

    SURE = "sure"
    MAYBE = "maybe"
    NONE = "none"


FATES = {"ok": Fate.SURE, "fail": Fate.NONE, "info": Fate.MAYBE}


@dataclass(slots=True, eq=False)
class Attempt:
    """One send of one uid. `visible` is the latest moment, monotonic ns, from which it may be read."""

    op: Op
    queue: str
    uid: str
    hash: int
    kind: str
    key: str | None
    delay_us: int
    tx: int | None
    msg_id: int | None = None
    fate: Fate = Fate.MAYBE
    sure_from: int | None = None

    @property
    def where(self) -> tuple[str, int] | None:
        return None if self.msg_id is None else (self.queue, self.msg_id)


class Lease(NamedTuple):
    """One message of one read. `db_from` and `db_until` are the database's, µs; `at` is `db_from` as monotonic ns.

    The database's clock may have been set back in between: the order of the leases is that of `at`.
    """

    op: Op
    msg_id: int
    receipt: int
    read_ct: int
    release_ct: int
    db_from: int
    db_until: int
    uid: str | None
    hash: int
    vt_us: int
    at: int

    @property
    def counted(self) -> int:
        return self.read_ct - self.release_ct


@dataclass(slots=True, eq=False)
class Run:
    """One run of a handler. It finished if `op.kind` is ok; `answer` is then what it answered."""

    op: Op
    queue: str
    msg_id: int
    receipt: int
    counted: int
    uid: str | None
    hash: int
    answer: str | None
    error: str | None


class Settle(NamedTuple):
    """What one call did to one message. `hide_us`: for how long from then on it is hidden."""

    op: Op
    verb: str
    receipt: int | None
    outcome: str | None
    hide_us: int

    @property
    def fate(self) -> Fate:
        """Sure only where the database said so to the one attempt that there was."""
        fate = FATES[self.op.kind]
        if fate is not Fate.SURE:
            return fate
        if self.outcome == DONE:
            in_doubt = self.op.repeated and self.verb in {"retry", RELEASE}
            return Fate.MAYBE if in_doubt else Fate.SURE
        # `gone` by a repeat means that the first attempt may have done it.
        return Fate.MAYBE if self.op.repeated and self.outcome == "gone" else Fate.NONE


class Effect(NamedTuple):
    """A handler's own transaction, which ends with the ack."""

    op: Op
    receipt: int
    uid: str | None


@dataclass(slots=True, eq=False)
class Life:
    """Everything about one message. `effect_rows` are the committed ones; `waiting`, `dead`, `archived` its last place.

    `audited`: verb and receipt of everything that the server has committed, where it kept an audit.
    """

    queue: str
    msg_id: int
    leases: list[Lease] = field(default_factory=list)
    runs: list[Run] = field(default_factory=list)
    settles: list[Settle] = field(default_factory=list)
    effects: list[Effect] = field(default_factory=list)
    effect_rows: list[Fields] = field(default_factory=list)
    waiting: Fields | None = None
    dead: Fields | None = None
    archived: Fields | None = None
    audited: set[tuple[str, int | None]] | None = None

    @property
    def kept(self) -> bool:
        """Tell whether it still is in some table."""
        return not (self.waiting is None and self.dead is None and self.archived is None)

    def ends(self) -> list[tuple[Op, str, int | None, Fate]]:
        """List what ended the message, or may have: operation, verb, receipt, fate."""
        found = [(s.op, s.verb, s.receipt, s.fate) for s in self.settles if s.verb in ENDINGS]
        found += [(e.op, "transaction", e.receipt, FATES[e.op.kind]) for e in self.effects]
        return [end for end in found if end[3] is not Fate.NONE]


def lines(*ops: Op | None) -> list[str]:
    """Where to look these operations up."""
    return [place for op in ops if op is not None for place in op.places]


@dataclass(slots=True)
class History:
    """A whole run. `lives` by (queue, msg_id); `redriven`: new msg_id to old one, by queue."""

    config: dict[str, Any]
    schedule: dict[str, Any]
    clock: Clock = field(default_factory=Clock)
    faults: Faults = field(default_factory=Faults)
    processes: Processes = field(default_factory=Processes)
    attempts: dict[str, list[Attempt]] = field(default_factory=lambda: defaultdict(list))
    lives: dict[tuple[str, int], Life] = field(default_factory=dict)
    redriven: dict[tuple[str, int], int] = field(default_factory=dict)
    phases: dict[str, int] = field(default_factory=dict)
    drained: tuple[Op, int] | None = None
    leaks: tuple[Op, Fields] | None = None
    coordination: Coordination = field(default_factory=Coordination)
    samples: list[tuple[int, Fields]] = field(default_factory=list)
    unfinished: dict[str, list[Run]] = field(default_factory=lambda: defaultdict(list))  # by process
    reconnects: int = 0
    operations: int = 0
    in_doubt: int = 0

    def life(self, queue: str, msg_id: int) -> Life:
        """Return the life of a message, begun here if nothing was known of it."""
        found = self.lives.get((queue, msg_id))
        if found is None:
            found = self.lives[queue, msg_id] = Life(queue, msg_id)
        return found

    def nobody_reads(self) -> list[Window]:
        """Return when no consumer was alive, awake, and free of a message that hangs for ever."""
        hung = {
            name: min(run.op.began for run in runs if self.kind(run.uid) == HANGS)
            for name, runs in self.unfinished.items()
            if any(self.kind(run.uid) == HANGS for run in runs)
        }
        return self.processes.nobody_awake("consumer", self.faults, hung)

    def taken_back(self, life: Life, op: Op, verb: str, receipt: int | None, by: int) -> bool:
        """Tell whether a crash before `by` took back what was confirmed, since it had committed asynchronously."""
        if life.audited is not None and (verb, receipt) in life.audited:
            return False
        return self.faults.may_have_lost(op, by)

    def kind(self, uid: str | None) -> str:
        """Return what the producer wanted this message to be."""
        attempts = self.attempts.get(uid or "", ())
        return attempts[0].kind if attempts else ""

    def setting(self, queue: str, name: str) -> int:
        value: int = self.config["queues"].get(queue, {}).get(name, 0)
        return value

    def original(self, queue: str, msg_id: int) -> int:
        """Follow redrives back to the message that was sent."""
        while (queue, msg_id) in self.redriven:
            msg_id = self.redriven[queue, msg_id]
        return msg_id

    def confirmed(self) -> list[Attempt]:
        """Every send that was committed for sure, one per message."""
        found: dict[tuple[str, int], Attempt] = {}
        for attempts in self.attempts.values():
            for one in attempts:
                if one.fate is Fate.SURE and one.where is not None:
                    found.setdefault(one.where, one)
        return list(found.values())
