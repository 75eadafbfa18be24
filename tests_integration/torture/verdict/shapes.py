"""The format of a history, version 1: what the line of each operation has to carry.

A folder: config.json, schedule.json, history-<p>.jsonl (one a process), the witnesses (see `witnesses`) and, written
last of all, manifest.json with the size of each. A line: t (CLOCK_MONOTONIC ns), p (incarnation of a process), n
(number of the operation in that process, from 1, without gaps), op, type (invoke, then ok, fail or info; none after a
kill). `ok` happened, `fail` did not, `info` is not known. Times of the database are microseconds since 1970.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

Test = Callable[[object], bool]
FORMAT = 1
ENDS = ("ok", "fail", "info")


def integer(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def text(value: object) -> bool:
    return isinstance(value, str)


def boolean(value: object) -> bool:
    return isinstance(value, bool)


def mapping(value: object) -> bool:
    return isinstance(value, dict)


def optional(inner: Test) -> Test:
    return lambda value: value is None or inner(value)


def many(inner: Test) -> Test:
    return lambda value: isinstance(value, list) and all(map(inner, value))


def row(*columns: Test) -> Test:
    def fits(value: object) -> bool:
        return (
            isinstance(value, list)
            and len(value) == len(columns)
            and all(test(cell) for test, cell in zip(columns, value, strict=True))
        )

    return fits


@dataclass(frozen=True, slots=True)
class Shape:
    """Fields of an invoke and of an `ok`. `alone`: the operation is one `ok` line, without an invoke.

    `lengths`: lists that are as long as the first of them, wherever they stand.
    """

    invoke: Mapping[str, Test] = field(default_factory=dict)
    ok: Mapping[str, Test] = field(default_factory=dict)
    alone: bool = False
    lengths: tuple[str, ...] = ()


SEND = row(text, integer, text)  # uid, hash, kind
PLANNED = row(text, text, integer, text)  # queue, uid, hash, kind
MEMBER = row(integer, text, integer, text)  # part, queue, msg_id, state
CLAIMED: dict[str, Test] = {"name": text, "key": text, "token": optional(integer)}
GOT = row(
    integer, integer, integer, integer, integer, integer, optional(text), integer
)  # msg_id, receipt, read_ct, release_ct, db_from, db_until, uid, hash
DELIVERY: dict[str, Test] = {
    "queue": text, "msg_id": integer, "receipt": integer, "uid": optional(text),
}  # fmt: skip
SETTLE: dict[str, Test] = {"queue": text, "ids": many(integer), "receipts": many(optional(integer))}
OUTCOMES: dict[str, Test] = {"outcomes": many(optional(text))}
HIDES: dict[str, Test] = {"hide_us": many(integer)}

SENDS: dict[str, Test] = {
    "queue": text,
    "sends": many(SEND),
    "delay_us": integer,
    "keys": optional(many(optional(text))),
    "tx": optional(integer),
}

SHAPES = {
    "process": Shape({"pid": integer, "role": text}),
    "send": Shape(SENDS, {"ids": many(integer)}, lengths=("sends", "ids", "keys")),
    "commit": Shape({"tx": integer}),
    "rollback": Shape({"tx": integer}),
    "claim": Shape({"queue": text, "vt_us": integer, "async": boolean}, {"got": many(GOT)}),
    "start": Shape(DELIVERY | {"read_ct": integer, "release_ct": integer, "hash": integer}, {"answer": text}),
    "effect": Shape(DELIVERY),
    "ack": Shape(SETTLE | {"verb": text, "async": boolean}, OUTCOMES, lengths=("ids", "receipts", "outcomes")),
    "nack": Shape(SETTLE | HIDES | {"verb": text}, OUTCOMES, lengths=("ids", "receipts", "hide_us", "outcomes")),
    "dead": Shape(SETTLE | {"reason": many(text)}, OUTCOMES, lengths=("ids", "receipts", "reason", "outcomes")),
    "extend": Shape(SETTLE | HIDES, OUTCOMES, lengths=("ids", "receipts", "hide_us", "outcomes")),
    "arm": Shape(
        {"barrier": text, "parts": many(PLANNED), "callback": PLANNED, "failure": optional(PLANNED),
         "fire_empty": boolean, "new_generation": boolean},
        {"generation": optional(integer)},
    ),
    "abort": Shape({"barrier": text}, {"answer": text}),
    "try_claim": Shape(CLAIMED, {"answer": optional(integer)}),
    "renew_claim": Shape(CLAIMED),
    "finish_claim": Shape(CLAIMED),
    "release_claim": Shape(CLAIMED),
    "redrive": Shape({"queue": text}, {"pairs": many(row(integer, integer))}),
    "reconnect": Shape(alone=True),
    "died": Shape(ok={"pid": integer, "why": text}, alone=True),
    "phase": Shape(ok={"phase": text}, alone=True),
    "drained": Shape(ok={"left": integer}),
    "leaks": Shape(ok=dict.fromkeys(("sessions", "prepared", "processes", "sockets", "temp_files"), integer)),
    "fault_begin": Shape({"fault_id": integer, "fault": text, "class": text}, {"pids": many(integer)}),
    "fault_end": Shape(ok={"fault_id": integer}, alone=True),
    "sample": Shape(ok={"db_now": integer, "queues": mapping}),
}  # fmt: skip

WITNESSES: dict[str, dict[str, Test]] = {
    "effects.jsonl": {"uid": text, "queue": text, "msg_id": integer, "receipt": integer},
    "final-messages.jsonl": {"queue": text, "msg_id": integer, "read_ct": integer, "release_ct": integer,
                             "uid": optional(text), "hash": integer},
    "final-dead.jsonl": {"queue": text, "msg_id": integer, "reason": text, "error": optional(text), "read_ct": integer,
                         "release_ct": integer, "db_died": integer, "uid": optional(text), "hash": integer},
    "final-archive.jsonl": {"queue": text, "msg_id": integer, "uid": optional(text), "hash": integer},
    "audit.jsonl": {"queue": text, "verb": text, "msg_id": integer, "receipt": optional(integer), "db_at": integer},
    "barriers.jsonl": {"generation": integer, "key": text, "state": text, "policy": text, "callback_uid": optional(text),
                       "failure_uid": optional(text), "db_deadline": integer, "db_ended": optional(integer),
                       "reason": text, "members": many(MEMBER)},
    "coordination.jsonl": {"seq": integer, "what": text, "db_at": integer},
}  # fmt: skip
EVENTS: dict[str, dict[str, Test]] = {  # of coordination.jsonl, by `what`
    "turn": {"generation": integer, "from": optional(text), "to": text},
    "fired": {"generation": integer, "queue": text, "msg_id": integer, "uid": optional(text), "open": integer},
    "claim": {"name": text, "key": text, "token": integer, "state": text, "holder": optional(text),
              "db_from": integer, "db_until": integer},
    "slot": {"schedule": text, "queue": text, "msg_id": integer, "slot": integer},
    "plan": {"schedule": text, "next": integer, "fast": integer},
    "stop": {"fast": integer},
    "lead": {"name": text, "holder": optional(text), "token": integer, "db_from": integer, "db_renewed": integer,
             "db_until": integer},
    "sweep": {"chore": text, "token": integer, "db_began": integer},
}  # fmt: skip
CONFIG: dict[str, Test] = {"seed": integer, "profile": text, "clock_offset_us": integer, "queues": mapping}
QUEUE: dict[str, Test] = {
    "kind": text, "vt_us": integer, "health_stale_us": integer, "max_reads": integer, "repark_budget": integer,
}  # fmt: skip
FAULT: dict[str, Test] = {"id": integer, "fault": text, "class": text}
CLASSES = ("kill", "pause", "connection", "pooler", "server", "clock", "poison", "load")


def misfit(fields: Mapping[str, Any], wanted: Mapping[str, Test]) -> str:
    """Name the first field that is missing or not of its kind; empty when all fit."""
    for name, test in wanted.items():
        if name not in fields:
            return f"{name} is missing"
        if not test(fields[name]):
            return f"{name} is not what it should be: {fields[name]!r:.80}"
    return ""


def uneven(shape: Shape, args: Mapping[str, Any], result: Mapping[str, Any]) -> str:
    """Name a list that is not as long as the others of its operation."""
    sizes = {
        name: len(value)
        for name in shape.lengths
        if isinstance(value := args.get(name, result.get(name)), list)
    }
    return f"lists of different lengths: {sizes}" if len(set(sizes.values())) > 1 else ""
