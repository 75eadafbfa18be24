"""Every barrier ends once: with its callback after all of its parts, or with a failure that has a cause."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import Any

from tests_integration.torture.verdict.coordinated import Barrier
from tests_integration.torture.verdict.findings import Findings
from tests_integration.torture.verdict.lines import Op
from tests_integration.torture.verdict.model import DONE, History, Run, lines

LIVE, REPLACED, ABORTED = "live", "replaced", "aborted"
BY_TIME = "expired"
FAILURES = frozenset({"failed", "expired", "aborted"})


@dataclass(slots=True)
class Work:
    """What handlers did, by uid: their runs, and the transactions whose effect is there."""

    runs: dict[str, list[Run]] = field(default_factory=lambda: defaultdict(list))
    effects: dict[str, Op] = field(default_factory=dict)

    @classmethod
    def of(cls, history: History) -> Work:
        work = cls()
        for life in history.lives.values():
            for run in life.runs:
                work.runs[run.uid or ""].append(run)
            for effect in life.effects if life.effect_rows else ():
                if effect.op.kind != "fail":
                    work.effects[effect.uid or ""] = effect.op
        return work

    def finished(self, uid: str) -> list[Op]:
        return [run.op for run in self.runs[uid] if run.op.kind == "ok" and run.answer == DONE]

    def ended(self, uid: str) -> int | None:
        """Return when this work was done at the earliest; None if it never was."""
        moments = [op.ended or op.began for op in self.finished(uid)]
        if uid in self.effects:
            moments.append(self.effects[uid].began)
        return min(moments, default=None)


def check(history: History, findings: Findings) -> dict[str, Any]:
    """Look at every barrier that was armed, or may have been."""
    told = history.coordination
    work = Work.of(history)
    _check_armed(history, findings)
    for barrier in told.barriers.values():
        _check_end(barrier, history, findings)
        _check_sent(barrier, findings)
        if barrier.arm is not None and barrier.state == DONE:
            _check_members(barrier, work, findings)
            _check_callback_runs(barrier, work, history, findings)
    _check_told_to_end(history, findings)
    return {
        "barriers": dict(Counter(barrier.state for barrier in told.barriers.values()).most_common()),
        "barriers_in_doubt": sum(1 for arm in told.arms if arm.op.kind == "info"),
        "callbacks_sent": sum(len(barrier.fired) for barrier in told.barriers.values()),
        "callback_runs": len(told.told_by),
    }


def _report(violation: str, barrier: Barrier, why: str, findings: Findings, *ops: Op, **more: object) -> None:
    armed = [barrier.arm.op] if barrier.arm else []
    findings.add(
        violation, key=barrier.row["key"], generation=barrier.generation, state=barrier.state, why=why, **more,
        lines=lines(*armed, *ops),
    )  # fmt: skip


def _check_armed(history: History, findings: Findings) -> None:
    """What was confirmed is there, what is there was asked for, and nothing else is."""
    told = history.coordination
    for arm in told.arms:
        confirmed = arm.op.kind == "ok" and arm.may_exist
        if confirmed and (arm.generation is None or arm.generation not in told.barriers):
            findings.add("barrier_lost", key=arm.key, generation=arm.generation, lines=lines(arm.op))
    owners = Counter(id(barrier.arm) for barrier in told.barriers.values() if barrier.arm is not None)
    for barrier in told.barriers.values():
        if barrier.arm is None:
            _report("barrier_lost", barrier, "nobody armed it", findings)
        elif owners[id(barrier.arm)] > 1:
            _report("barrier_lost", barrier, "one call has armed several", findings)
        elif len(barrier.row["members"]) != len(barrier.arm.parts):
            _report("barrier_lost", barrier, "its parts are not those that were asked for", findings)
    for event in told.unknown:
        findings.add("barrier_lost", generation=event["generation"], why="noted by the server, and not there")


def _check_end(barrier: Barrier, history: History, findings: Findings) -> None:
    if barrier.state == LIVE:
        _report("barrier_stranded", barrier, f"parts: {barrier.row['members']}", findings)
    turns = [(turn["from"], turn["to"]) for turn in barrier.turns]
    wanted = [(None, LIVE), (LIVE, barrier.state)]
    if barrier.state == LIVE:
        wanted.pop()
    elif not barrier.row["members"] and barrier.state == DONE:
        wanted = [(None, DONE)]
    if turns != wanted:
        _report("barrier_ends", barrier, f"its turns were {turns}", findings)
    why = _without_cause(barrier, history)
    if why:
        _report("barrier_ends", barrier, why, findings)


def _without_cause(barrier: Barrier, history: History) -> str:
    """Say why this end, or the failure of one of its parts, can't be."""
    row, arm = barrier.row, barrier.arm
    states = Counter(state for *_, state in row["members"])
    ended = row["db_ended"] or 0
    in_time = ended < row["db_deadline"] and not history.clock.steps
    stalled = "no progress" in row["reason"]
    if barrier.state == BY_TIME and in_time and not stalled:
        return "it expired before its deadline"
    if barrier.state == "failed" and not states["failed"]:
        return "it failed, and none of its parts did"
    if barrier.state == DONE and states["failed"] and row["policy"] != "collect":
        return "it is done, and a part failed that must not"
    if arm is None:
        return ""
    for _, queue, msg_id, state in row["members"]:
        life = history.lives.get((queue, msg_id))
        dead = life is not None and life.dead is not None
        if state == "failed" and not dead and in_time and not stalled and barrier.state in {DONE, "failed"}:
            return f"a part failed whose message {msg_id} is not dead"
    return ""


def _check_sent(barrier: Barrier, findings: Findings) -> None:
    """A barrier that is done has sent its callback, one that failed its message of that; once, and nothing else."""
    row = barrier.row
    wanted = [row["callback_uid"]] if barrier.state == DONE else []
    if barrier.state in FAILURES and row["failure_uid"] is not None:
        wanted = [row["failure_uid"]]
    sent = [fired["uid"] for fired in barrier.fired]
    if sent != wanted:
        messages = [[fired["queue"], fired["msg_id"]] for fired in barrier.fired]
        _report("callbacks", barrier, f"sent {sent}, not {wanted}", findings, messages=messages)
    for fired in barrier.fired:
        if barrier.state == DONE and fired["open"]:
            why = f"{fired['open']} parts were open when it was sent"
            _report("callback_too_early", barrier, why, findings, msg_id=fired["msg_id"])


def _check_members(barrier: Barrier, work: Work, findings: Findings) -> None:
    """Each part that counts as done was finished by a handler, and before any run of the callback."""
    arm = barrier.arm
    assert arm is not None  # the caller has looked
    callback = min((run.op for run in work.runs[str(arm.callback[1])]), key=lambda op: op.began, default=None)
    for (number, _, _, state), sent in zip(barrier.row["members"], arm.parts, strict=False):
        uid = str(sent[1])
        if state == "open":
            _report("callback_too_early", barrier, f"part {number} is open", findings, uid=uid)
        if state != DONE:
            continue
        ended = work.ended(uid)
        if ended is None:
            ops = [run.op for run in work.runs[uid]]
            why = f"part {number} is done, and no handler finished it"
            _report("callback_too_early", barrier, why, findings, *ops, uid=uid)
        elif callback is not None and callback.began < ended:
            why = f"its callback ran before part {number} was finished"
            _report("callback_too_early", barrier, why, findings, *work.finished(uid)[:1], callback, uid=uid)


def _check_callback_runs(barrier: Barrier, work: Work, history: History, findings: Findings) -> None:
    """Each run of the callback is told whose it is."""
    assert barrier.arm is not None
    for run in work.runs[str(barrier.arm.callback[1])]:
        shown = history.coordination.told_by.get(run.op)
        if shown != barrier.generation:
            _report("callbacks", barrier, f"its callback was told of {shown}", findings, run.op)


def _check_told_to_end(history: History, findings: Findings) -> None:
    """As many barriers of a key were aborted and replaced as somebody asked for."""
    told = history.coordination
    asked: Counter[tuple[str, str]] = Counter()
    sure: Counter[tuple[str, str]] = Counter()
    for spoken in told.aborts:
        asked[spoken.args["barrier"], ABORTED] += spoken.op.kind != "fail"
        sure[spoken.args["barrier"], ABORTED] += spoken.result.get("answer") == ABORTED
    for arm in told.arms:
        asked[arm.key, REPLACED] += arm.replaces and arm.may_exist
    happened = Counter((barrier.row["key"], barrier.state) for barrier in told.barriers.values())
    for key, state in {*sure, *((k, s) for k, s in happened if s in (ABORTED, REPLACED))}:
        number = happened[key, state]
        if not sure[key, state] <= number <= asked[key, state]:
            why = f"{number} {state}, {sure[key, state]} confirmed, {asked[key, state]} asked for"
            findings.add("barrier_ends", key=key, why=why)
