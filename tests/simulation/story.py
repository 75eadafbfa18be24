"""What happened in a simulation, in order, and the laws that it must keep."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from tests.simulation.queue_model import QueueModel

Lease = tuple[int, int | None]  # msg_id, receipt

SETTLE_WITHIN = (
    6.0  # the consumer's own limit for what is left after its handlers have ended, and cleaning up
)


@dataclass
class Story:
    """`trace` is for people and for comparing two runs; the rest is what the laws ask."""

    model: QueueModel
    max_reads: dict[str, int]
    is_calm: bool  # no fault was injected at all
    trace: list[str] = field(default_factory=list)
    sent: dict[int, dict[str, Any]] = field(default_factory=dict)
    starts: dict[int, int] = field(default_factory=lambda: defaultdict(int))
    succeeded: set[Lease] = field(default_factory=set)
    effects: dict[int, int] = field(default_factory=lambda: defaultdict(int))
    told: dict[str, set[Lease]] = field(default_factory=lambda: defaultdict(set))
    in_doubt: set[Lease] = field(default_factory=set)
    abandoned: dict[int, int] = field(default_factory=lambda: defaultdict(int))
    broken: list[str] = field(default_factory=list)
    _verbs: dict[Lease, str] = field(default_factory=dict)
    _answered: set[Lease] = field(default_factory=set)
    _failures: dict[tuple[str, str], int] = field(default_factory=lambda: defaultdict(int))

    def say(self, now: float, who: str, what: str) -> None:
        self.trace.append(f"{now:10.4f} {who} {what}")

    def begins(self, now: float, who: str, lease: Lease) -> None:
        """A handler starts. By then its lease must not be known to be lost: here it must not even be."""
        self.say(now, who, f"start {lease[0]}")
        self.starts[lease[0]] += 1
        if not self.model.holds(*lease):
            self.broken.append(f"{who} started message {lease[0]} without its lease, at {now:.3f}")

    def asks(self, now: float, who: str, verb: str, leases: list[Lease]) -> None:
        """A call that settles goes out."""
        for lease in leases:
            if lease in self._answered or leases.count(lease) > 1:
                self.broken.append(f"{who} settled message {lease[0]} again ({verb}), at {now:.3f}")
            if self._verbs.setdefault(lease, verb) != verb:
                self.broken.append(f"{who} settled message {lease[0]} by {self._verbs[lease]} and by {verb}")

    def answers(self, leases: list[Lease]) -> None:
        self._answered.update(leases)

    def fails(self, who: str, verb: str) -> None:
        self._failures[who, verb] += 1

    def ends(self, now: float, who: str, code: int, *, took: float, grace: float) -> None:
        """A consumer has ended, so many seconds after it was told to. What is left unsettled is the only reason for 1."""
        self.say(now, who, f"ended with {code} after {took:.3f} s")
        if took > grace + SETTLE_WITHIN:
            self.broken.append(f"{who} took {took:.1f} s to end, allowed are {grace + SETTLE_WITHIN:.1f} s")
        forgotten = self.told[who] - self._answered - self.in_doubt
        if code == 1 and not forgotten:
            self.broken.append(f"{who} ended by a fault of its own")
        if code == 0:
            for msg_id, receipt in sorted(forgotten, key=repr):
                if self.model.holds(msg_id, receipt):
                    self.broken.append(f"{who} ended well and left message {msg_id} unsettled, at {now:.3f}")

    def judge(self, seconds: float) -> list[str]:
        """Return the laws that were broken, each as a sentence."""
        return [*self.broken, *self._unfinished(), *self._undone(), *self._doubled(), *self._hectic(seconds)]

    def _unfinished(self) -> Iterator[str]:
        for msg_id in self.sent:
            if msg_id in self.model.rows:
                yield f"message {msg_id} was never finished"
            elif msg_id not in self.model.removed:
                yield f"message {msg_id} is lost"

    def _undone(self) -> Iterator[str]:
        for msg_id, removed in self.model.removed.items():
            if removed.verb in ("delete", "archive") and (msg_id, removed.receipt) not in self.succeeded:
                yield f"message {msg_id} was acked, but its handler had not done its work under that lease"
            attempts = removed.read_ct - removed.release_ct
            allowed = self.max_reads[self.sent[msg_id]["queue"]]
            if removed.reason == "poison" and attempts <= allowed:
                yield f"message {msg_id} was buried as poison after {attempts} attempts"

    def _doubled(self) -> Iterator[str]:
        for msg_id, body in self.sent.items():
            acked = msg_id in self.model.removed and self.model.removed[msg_id].verb != "bury"
            if body["kind"] == "tx" and acked and self.effects[msg_id] != 1:
                yield f"message {msg_id} was acked with {self.effects[msg_id]} effects"
            once = self.is_calm and body["kind"] in ("quick", "slow", "tx")
            if once and self.starts[msg_id] > 1 + self.abandoned[msg_id]:
                yield f"message {msg_id} was started {self.starts[msg_id]} times in calm weather"

    def _hectic(self, seconds: float) -> Iterator[str]:
        for (who, verb), failures in self._failures.items():
            if failures > 4 * seconds + 10:
                yield f"{who} asked {failures} times for {verb} in {seconds:.0f} s though it failed"
