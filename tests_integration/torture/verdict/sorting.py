"""Sorts each operation into the lives of the messages that it touched, and decides what became of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from tests_integration.torture.verdict import coordination
from tests_integration.torture.verdict.clock import Reading
from tests_integration.torture.verdict.lines import Op, Spoken
from tests_integration.torture.verdict.model import (
    EXTEND,
    FATES,
    Attempt,
    Effect,
    Fate,
    History,
    Lease,
    Run,
    Settle,
)


@dataclass(slots=True)
class Sorter:
    """Takes the operations of all processes in any order; `finish` when there are no more."""

    history: History
    _sends: list[Attempt] = field(default_factory=list)
    _commits: dict[tuple[str, int], Op] = field(default_factory=dict)
    _heals: list[tuple[int, int]] = field(default_factory=list)
    readings: list[Reading] = field(default_factory=list)

    def take(self, spoken: Spoken) -> None:
        op = spoken.op
        self.history.operations += 1
        self.history.in_doubt += op.kind == "info"
        settled = _SETTLES.get(op.name)
        if settled is not None:
            self._settle(spoken, settled)
            return
        if coordination.take(spoken, self.history):
            return
        sort: Callable[[Spoken], None] | None = getattr(self, f"_take_{op.name}", None)
        if sort is not None:
            sort(spoken)

    def finish(self) -> None:
        """Decide the sends that belong to transactions, and what needs the whole history."""
        for attempt in self._sends:
            self._decide(attempt)
        self.history.faults.heal(self._heals)
        for life in self.history.lives.values():
            life.leases = sorted(map(self._placed, life.leases), key=lambda lease: (lease.at, lease.read_ct))
            life.runs.sort(key=lambda run: run.op.began)
            life.settles.sort(key=lambda settle: settle.op.began)
            for run in life.runs:
                if run.op.ended is None:
                    self.history.unfinished[run.op.p].append(run)

    def _placed(self, lease: Lease) -> Lease:
        op = lease.op
        at = self.history.clock.between(lease.db_from, op.began, op.ended or op.began)
        return lease._replace(at=at)

    # --- by operation

    def _take_send(self, spoken: Spoken) -> None:
        op, args = spoken.op, spoken.args
        sends = args["sends"]
        ids = spoken.result.get("ids") or [None] * len(sends)
        keys = args["keys"] or [None] * len(sends)
        for (uid, digest, kind), msg_id, key in zip(sends, ids, keys, strict=True):
            attempt = Attempt(op, args["queue"], uid, digest, kind, key, args["delay_us"], args["tx"], msg_id)
            self.history.attempts[uid].append(attempt)
            self._sends.append(attempt)

    def _take_commit(self, spoken: Spoken) -> None:
        self._commits[spoken.op.p, spoken.args["tx"]] = spoken.op

    def _take_claim(self, spoken: Spoken) -> None:
        op, vt_us = spoken.op, spoken.args["vt_us"]
        for row in spoken.result.get("got", ()):
            self.history.life(spoken.args["queue"], row[0]).leases.append(Lease._make([op, *row, vt_us, 0]))

    def _take_start(self, spoken: Spoken) -> None:
        args, result = spoken.args, spoken.result
        run = Run(
            spoken.op,
            args["queue"],
            args["msg_id"],
            args["receipt"],
            args["read_ct"] - args["release_ct"],
            args["uid"],
            args["hash"],
            result.get("answer"),
            result.get("err"),
        )
        self.history.life(run.queue, run.msg_id).runs.append(run)
        if args.get("from_barrier") is not None:
            self.history.coordination.told_by[spoken.op] = args["from_barrier"]

    def _take_effect(self, spoken: Spoken) -> None:
        args = spoken.args
        effect = Effect(spoken.op, args["receipt"], args["uid"])
        self.history.life(args["queue"], args["msg_id"]).effects.append(effect)

    def _take_redrive(self, spoken: Spoken) -> None:
        queue = spoken.args["queue"]
        self.history.redriven |= {(queue, new): old for old, new in spoken.result.get("pairs", ())}

    def _take_reconnect(self, _: Spoken) -> None:
        self.history.reconnects += 1

    def _take_died(self, spoken: Spoken) -> None:
        self.history.processes.died.setdefault(spoken.args["pid"], []).append(spoken.op.began)

    def _take_phase(self, spoken: Spoken) -> None:
        self.history.phases[spoken.args["phase"]] = spoken.op.began

    def _take_drained(self, spoken: Spoken) -> None:
        self.history.drained = (spoken.op, spoken.result.get("left", -1))

    def _take_leaks(self, spoken: Spoken) -> None:
        self.history.leaks = (spoken.op, spoken.result)

    def _take_fault_begin(self, spoken: Spoken) -> None:
        self.history.faults.add(spoken.op, spoken.args, spoken.result)

    def _take_fault_end(self, spoken: Spoken) -> None:
        self._heals.append((spoken.args["fault_id"], spoken.op.began))

    def _take_sample(self, spoken: Spoken) -> None:
        op, result = spoken.op, spoken.result
        if op.kind == "ok" and op.ended is not None:
            self.readings.append(Reading(op.began, op.ended, result["db_now"]))
            self.history.samples.append((op.began, result))

    # --- settles and sends

    def _settle(self, spoken: Spoken, verb: str) -> None:
        args = spoken.args
        ids: list[int] = args["ids"]
        verb = args.get("verb", verb)
        outcomes = spoken.result.get("outcomes") or [None] * len(ids)
        hides = args.get("hide_us") or [0] * len(ids)
        twice = {msg_id for msg_id, times in Counter(ids).items() if times > 1}
        for msg_id, receipt, outcome, hide in zip(ids, args["receipts"], outcomes, hides, strict=True):
            # One outcome for all receipts of a message: it is open which of them it is about.
            op = replace(spoken.op, repeated=True, kind="info") if msg_id in twice else spoken.op
            life = self.history.life(args["queue"], msg_id)
            life.settles.append(Settle(op, verb, receipt, outcome, hide))

    def _decide(self, attempt: Attempt) -> None:
        op = attempt.op
        attempt.fate, attempt.sure_from = FATES[op.kind], op.ended
        if attempt.tx is None:
            return
        commit = self._commits.get((op.p, attempt.tx))
        if op.kind != "ok" or commit is None:
            attempt.fate = Fate.NONE
        else:
            attempt.fate, attempt.sure_from = FATES[commit.kind], commit.ended


_SETTLES = {"ack": "delete", "nack": "retry", "dead": "bury", "extend": EXTEND}
