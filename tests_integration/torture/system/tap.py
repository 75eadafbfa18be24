"""What a process of the command under test says to the database, written down where the library meets its driver.

It changes nothing: each call goes out as it would, with a line of the history before and after.
"""

from __future__ import annotations

import atexit
import os
import re
import time
from collections import Counter
from collections.abc import Callable
from contextvars import ContextVar
from datetime import datetime
from pathlib import Path
from typing import Any

from pgqueue.call import Call
from pgqueue.db import runner
from pgqueue.db.attempt import Trial
from pgqueue.errors import InDoubt, PgQueueError, Unavailable
from tests_integration.torture.system.controls import call_plant
from tests_integration.torture.system.recorder import History, micros, payload_hash, uid_of

ARGUMENT = re.compile(r"(\w+) => (?:make_interval\(secs => |array\([^%]*)?%s")
OPS = {
    "read": "claim",
    "read_or_await": "claim",
    "delete": "ack",
    "archive": "ack",
    "retry": "nack",
    "release": "nack",
    "bury": "dead",
    "set_vt": "extend",
}
OF_BARRIERS = {"ack": ("ack", "delete"), "bury": ("dead", "bury"), "finish": ("ack", "delete")}
OF_CLAIMS = {"try": "try_claim", "renew": "renew_claim", "finish": "finish_claim", "release": "release_claim"}

_history: History | None = None
_current: ContextVar[_Line | None] = ContextVar("torture_line", default=None)


def history() -> History:
    """Return the history of this process."""
    assert _history is not None, "the recorder is not in place"
    return _history


def install() -> None:
    """Open this process's history and wrap both runners. Called once, before the command begins."""
    global _history  # noqa: PLW0603 - one a process, like the process itself
    name = os.environ["TORTURE_NAME"]
    is_first = os.environ["TORTURE_PARENT"] == str(os.getppid())
    role = "supervisor" if is_first and os.environ.get("TORTURE_PROCESSES", "0") != "0" else "consumer"
    role = os.environ.get("TORTURE_ROLE", role)
    _history = History(Path(os.environ["TORTURE_FOLDER"]), f"{name}-w{os.getpid()}", role)
    atexit.register(_history.close)
    _close_before_leaving(_history)
    run, run_async = runner.Runner.run, runner.AsyncRunner.run

    def tapped(self: runner.Runner, call: Call[Any]) -> Any:
        line = _Line.of(call, self.async_commit)
        if line is None:
            return run(self, call)
        with line:
            return line.answered(run(self, call))

    async def tapped_async(self: runner.AsyncRunner, call: Call[Any]) -> Any:
        line = _Line.of(call, self.async_commit)
        if line is None:
            return await run_async(self, call)
        with line:
            return line.answered(await run_async(self, call))

    note_repeat = Trial.note_repeat

    def tapped_repeat(self: Trial[Any], error: PgQueueError) -> None:
        note_repeat(self, error)
        history().note("reconnect")
        if (line := _current.get()) is not None:
            line.repeated = True

    Trial.note_repeat = tapped_repeat  # type: ignore[method-assign]
    runner.Runner.run = tapped  # type: ignore[method-assign]
    runner.AsyncRunner.run = tapped_async  # type: ignore[method-assign]
    _skew_the_clock(float(os.environ.get("TORTURE_SKEW", "0")))
    call_plant()


class _Line:
    """One operation in the history: its invoke when it is made, its end by `answered` or by an exception."""

    def __init__(self, op: str, invoke: dict[str, Any], ending: Callable[[Any], dict[str, Any]]) -> None:
        self._op, self._ending = op, ending
        self.repeated = False  # by the runner, after a dead connection: an answer of `done` may be a guess
        self._number = history().invoke(op, **invoke)

    @classmethod
    def of(cls, call: Call[Any], async_commit: bool) -> _Line | None:
        """Begin the line of a call; None for calls that neither claim nor settle."""
        room, _, verb = call.name.partition(".")
        verb = verb.removesuffix("_batch")
        op = OPS.get(verb) if room == "message" else None
        if room == "barrier" and verb in OF_BARRIERS:
            op, verb = OF_BARRIERS[verb]
        elif room == "claim" and verb in OF_CLAIMS:
            return cls(OF_CLAIMS[verb], _claim_of(call), lambda answer: {"answer": _plain(answer)})
        if op is None:
            return None
        given = dict(zip(ARGUMENT.findall(call.sql), call.params, strict=True))
        if given.get("archive"):
            verb = "archive"
        fields: dict[str, Any] = {"queue": call.queue, "async": async_commit and call.may_commit_async}
        if op == "claim":
            vt = given.get("vt")
            return cls(op, fields | {"qty": given["qty"], "vt_us": _us(vt)}, _claimed)
        ids = given.get("msg_ids") or [given["msg_id"]]
        receipts = given.get("receipts") or [given.get("receipt")]
        fields["ids"] = ids
        fields["receipts"] = receipts * len(ids) if len(receipts) == 1 else receipts
        if op != "ack":
            fields |= _extra(op, given, len(ids))
        if op != "extend":
            fields["verb"] = verb
        return cls(op, fields, lambda answer: {"outcomes": _outcomes(answer, ids)})

    def answered(self, answer: Any) -> Any:
        history().ok(self._number, self._op, **self._ending(answer), **self._told())
        return answer

    def __enter__(self) -> None:
        self._token = _current.set(self)

    def __exit__(self, kind: object, error: BaseException | None, _: object) -> None:
        _current.reset(self._token)
        if error is None:
            return
        refused = isinstance(error, PgQueueError) and not isinstance(error, InDoubt | Unavailable)
        if refused and not self.repeated:
            history().fail(self._number, self._op, error)
        else:
            doubtful = isinstance(error, InDoubt)
            history().info(self._number, self._op, error, in_doubt=doubtful, **self._told())

    def _told(self) -> dict[str, bool]:
        return {"repeated": True} if self.repeated else {}


def _claim_of(call: Call[Any]) -> dict[str, Any]:
    """Return which claim a call is about, with its token where it has one."""
    given = dict(zip(ARGUMENT.findall(call.sql), call.params, strict=True))
    return {"name": given["name"], "key": given["key"], "token": given.get("token")}


def _plain(answer: Any) -> Any:
    return micros(answer) if isinstance(answer, datetime) else answer


def _claimed(messages: list[Any]) -> dict[str, Any]:
    return {
        "got": [
            [
                m.msg_id,
                m.receipt,
                m.read_ct,
                m.release_ct,
                micros(m.last_read_at),
                micros(m.vt),
                uid_of(m.message),
                payload_hash(m.message),
            ]
            for m in messages
        ]
    }


def _extra(op: str, given: dict[str, Any], number: int) -> dict[str, Any]:
    """Return how long each message is hidden, or why it dies."""
    if op == "dead":
        reasons = given.get("reasons") or [given["reason"]]
        return {"reason": reasons}
    if "vt" in given:
        return {"hide_us": [_us(given["vt"])] * number}
    delays = given.get("delays") or [given.get("delay") or 0] * number
    return {"hide_us": [_us(delay) for delay in delays]}


def _us(delay: Any) -> int | None:
    if delay is None:
        return None
    seconds = float(delay.removesuffix(" s")) if isinstance(delay, str) else float(delay)
    return round(seconds * 1_000_000)


def _outcomes(answer: Any, ids: list[int]) -> list[str | None]:
    if not isinstance(answer, dict):
        return [str(answer)]
    # An id that is given twice, with an old and a new receipt, has one outcome: whose it is, nobody says.
    times = Counter(ids)
    return [str(answer[one]) if one in answer and times[one] == 1 else None for one in ids]


def _close_before_leaving(mine: History) -> None:
    """Let also an end by os._exit, which the command takes when handlers still run, write the last line."""
    leave = os._exit

    def close_and_leave(code: int) -> None:
        mine.close()
        leave(code)

    os._exit = close_and_leave  # type: ignore[assignment]


def _skew_the_clock(seconds: float) -> None:
    """Let this process believe that it is some other time; durations stay true."""
    if seconds:
        wall, wall_ns = time.time, time.time_ns  # noqa: TID251 - it is what is replaced
        time.time = lambda: wall() + seconds  # noqa: TID251 - as above
        time.time_ns = lambda: wall_ns() + round(seconds * 1e9)
