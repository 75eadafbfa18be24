"""Puts barriers and claims together, and makes sends of what a barrier sends: parts, callback, message of a failure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from tests_integration.torture.verdict.coordinated import Arm, Barrier, Sent
from tests_integration.torture.verdict.lines import AUDIT, Fields, Op, Spoken
from tests_integration.torture.verdict.model import Attempt, Fate, History

COMMIT_NS = 100_000_000  # from the statement's look at the clock to the end of its commit
OF_BARRIERS = frozenset({"turn", "fired"})
OF_CLAIMS = frozenset({"try_claim", "renew_claim", "finish_claim", "release_claim"})


def take(spoken: Spoken, history: History) -> bool:
    """Sort in an operation that is about barriers or claims; false for any other."""
    told, args = history.coordination, spoken.args
    if spoken.op.name == "arm":
        told.arms.append(
            Arm(
                spoken.op, args["barrier"], args["parts"], args["callback"], args["failure"],
                args["new_generation"], args["fire_empty"], spoken.result.get("generation"),
            )
        )  # fmt: skip
    elif spoken.op.name == "abort":
        told.aborts.append(spoken)
    elif spoken.op.name in OF_CLAIMS:
        told.callers[args["name"], args["key"]].append(spoken)
    else:
        return False
    return True


def merge(history: History, barriers: list[Fields], events: list[Fields]) -> None:
    """Bring what was asked for in line with what the server has."""
    told = history.coordination
    told.barriers = {row["generation"]: Barrier(row) for row in barriers}
    for event in sorted(events, key=lambda event: event["seq"]):
        if event["what"] not in OF_BARRIERS:
            _sort(event, history)
            continue
        barrier = told.barriers.get(event["generation"])
        if barrier is None:
            told.unknown.append(event)
        elif event["what"] == "turn":
            barrier.turns.append(event)
        elif all((event["queue"], event["msg_id"]) != (one["queue"], one["msg_id"]) for one in barrier.fired):
            barrier.fired.append(event)  # once, however often it was moved from one table to another
    _match(history)
    for arm in told.arms:
        for sent in (*arm.parts, arm.callback, *([arm.failure] if arm.failure else [])):
            _add(history, sent, arm.op, Fate.NONE, None)
    for barrier in told.barriers.values():
        if barrier.arm is not None:
            _send(history, barrier, barrier.arm)


def _sort(event: Fields, history: History) -> None:
    """Put an event that is of no barrier where it belongs."""
    told = history.coordination
    if event["what"] == "claim":
        told.claims[event["name"], event["key"]].append(event)
    elif event["what"] == "lead":
        told.leads[event["name"]].append(event)
    elif event["what"] == "sweep":
        told.sweeps.append(event)
    elif event["what"] == "stop":
        told.stopped = event["fast"]
    elif event["what"] == "plan":
        told.plans[event["schedule"]].append(event)
    elif all(
        (event["queue"], event["msg_id"]) != (one["queue"], one["msg_id"])
        for one in told.slots[event["schedule"]]
    ):
        told.slots[event["schedule"]].append(event)
        rule = history.config.get("timetable", {}).get("schedules", {}).get(event["schedule"])
        if rule is not None:
            _send_slot(event, rule["hash"], history)


def _send_slot(event: Fields, digest: int, history: History) -> None:
    """Make a send of a slot's message: the server says that it is there."""
    seen = history.clock.monotonic(event["db_at"])
    op = Op(AUDIT, event["seq"], "slot", 0, event["seq"], "ok", seen + COMMIT_NS)
    uid = f"{event['schedule']}@{event['slot']}#{event['msg_id']}"
    history.attempts[uid].append(
        Attempt(op, event["queue"], uid, digest, "plain", None, 0, None, event["msg_id"], Fate.SURE, op.ended)
    )


def _match(history: History) -> None:
    """Find the call that armed each barrier: by its answer, or by the callback that only it asked for."""
    told = history.coordination
    by_callback: dict[object, list[Arm]] = defaultdict(list)
    for arm in told.arms:
        if arm.may_exist:
            by_callback[arm.callback[1]].append(arm)
    for barrier in told.barriers.values():
        candidates = by_callback[barrier.row["callback_uid"]]
        answered = [arm for arm in candidates if arm.generation == barrier.generation]
        in_doubt = [arm for arm in candidates if arm.op.kind == "info"]
        barrier.arm = next(iter([*answered, *in_doubt]), None)


def _send(history: History, barrier: Barrier, arm: Arm) -> None:
    """Say of everything that this barrier has sent that it was, and when."""
    armed = [turn["db_at"] for turn in barrier.turns if turn["from"] is None]
    sure_from = arm.op.ended or _moment(history, armed, arm.op)
    for number, queue, msg_id, _ in barrier.row["members"]:
        if number < len(arm.parts):
            first = history.original(queue, msg_id)
            _add(history, arm.parts[number], arm.op, Fate.SURE, first, sure_from)
    endings = [arm.callback, *([arm.failure] if arm.failure else [])]
    for fired in barrier.fired:
        for sent in endings:
            if (sent[0], sent[1]) == (fired["queue"], fired["uid"]):
                when = _moment(history, [fired["db_at"]], arm.op)
                _add(history, sent, arm.op, Fate.SURE, fired["msg_id"], when)


def _moment(history: History, instants: Iterable[int], op: Op) -> int:
    return max((history.clock.monotonic(one) + COMMIT_NS for one in instants), default=op.began)


def _add(
    history: History, sent: Sent, op: Op, fate: Fate, msg_id: int | None, sure_from: int | None = None
) -> None:
    """Add a send, or say what became of one that is known."""
    queue, uid, digest, kind = (sent[0], sent[1], sent[2], sent[3])
    attempt = Attempt(
        op, str(queue), str(uid), int(digest), str(kind), None, 0, None, msg_id, fate, sure_from
    )
    known = history.attempts[attempt.uid]
    if fate is Fate.SURE:
        known[:] = [one for one in known if one.fate is not Fate.NONE or one.op is not op]
    known.append(attempt)
