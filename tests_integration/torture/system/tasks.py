"""The torture app: what its handlers do stands in the message, what they did in the history.

Both tasks take messages of either queue; one is async, one runs in threads.
"""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

from pgqueue import App, Bury, Context, Release, Retry
from pgqueue.errors import InDoubt
from tests_integration.torture.system import fanout, orchestrating
from tests_integration.torture.system.recorder import payload_hash
from tests_integration.torture.system.tap import history

app = App()

HANG_SECONDS = 3600.0
EFFECT = "insert into torture.effects (uid, queue, msg_id, receipt) values (%s, %s, %s, %s)"


class ToldToFail(Exception):
    """What the message asks its handler to raise."""


Told = dict[str, Any] | None


@app.task("torture.awaited", queue="torture_log")
async def awaited(
    ctx: Context,
    uid: str,
    kind: str,
    ms: int,
    times: int = 0,
    mode: str = "",
    nest: Told = None,
    claim: Told = None,
) -> object:
    with Run(ctx, uid) as run:
        if claim is not None:
            return run.answers("done", await orchestrating.once_async(uid, claim, ms, run.failing(times)))
        await asyncio.sleep(ms / 1000)
        if kind == "tx":
            with run.effect(), Nested(nest) as inner:
                async with ctx.tx() as connection:
                    await connection.execute(EFFECT, run.row)
                    if nest is not None:
                        inner.generation = await fanout.arm(connection, nest)
                    run.fail_if_told(times)
            return run.answers("done", None)
        return run.obey(kind, times, mode)


@app.task("torture.threaded", queue="torture_row")
def threaded(
    ctx: Context,
    uid: str,
    kind: str,
    ms: int,
    times: int = 0,
    mode: str = "",
    nest: Told = None,
    claim: Told = None,
) -> object:
    with Run(ctx, uid) as run:
        if claim is not None:
            return run.answers("done", orchestrating.once(uid, claim, ms, run.failing(times)))
        time.sleep(ms / 1000)
        if kind == "tx":
            with run.effect(), Nested(nest) as inner:
                with ctx.tx() as connection:
                    connection.execute(EFFECT, run.row)
                    if nest is not None:
                        inner.generation = fanout.arm(connection, nest)
                    run.fail_if_told(times)
            return run.answers("done", None)
        return run.obey(kind, times, mode)


@app.task("torture.slot", queue="torture_log")
def slot(ctx: Context, schedule: str) -> object:
    with Run(ctx, None) as run:
        return run.answers("done", None)


class Run:
    """One run of a handler: `start` in the history, with its end."""

    def __init__(self, ctx: Context, uid: str | None) -> None:
        message = ctx.message
        self._reads = message.read_ct
        self._mine = {"queue": ctx.queue, "msg_id": message.msg_id, "receipt": message.receipt}
        self.uid = uid
        self.row = [uid, ctx.queue, message.msg_id, message.receipt]
        self._number = history().invoke(
            "start",
            **self._mine,
            read_ct=message.read_ct,
            release_ct=message.release_ct,
            uid=uid,
            hash=payload_hash(message.message),
            from_barrier=ctx.from_barrier.generation if ctx.from_barrier else None,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, error: BaseException | None, _: TracebackType | None) -> None:
        if error is not None:
            history().fail(self._number, "start", error)

    def effect(self) -> Effect:
        return Effect(self.uid, self._mine)

    def answers(self, answer: str, value: object) -> object:
        """Note the answer: the last act of the handler."""
        history().ok(self._number, "start", answer=answer)
        return value

    def fail_if_told(self, times: int) -> None:
        """Fail the first `times` deliveries."""
        if self._reads <= times:
            raise ToldToFail(f"delivery {self._reads} of {times} that shall fail")

    def failing(self, times: int) -> Callable[[], None]:
        return lambda: self.fail_if_told(times)

    def obey(self, kind: str, times: int, mode: str) -> object:
        """Do what a message without effect asks for."""
        if kind == "bury":
            return self.answers("bury", Bury("told to"))
        if kind == "poison":
            self._die(mode)
        if kind == "stale" and self._reads == 1:
            time.sleep(HANG_SECONDS)  # in a thread of its own, or on the loop of the whole process
        if kind == "flaky" and self._reads <= times:
            return self._fail_softly(mode)
        return self.answers("done", None)

    def _fail_softly(self, mode: str) -> object:
        if mode == "retry":
            return self.answers("retry", Retry(0.1))
        if mode == "release":
            return self.answers("release", Release())
        raise ToldToFail(f"delivery {self._reads}")

    def _die(self, mode: str) -> None:
        if mode == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        raise ToldToFail("poison")


class Nested:
    """The arming of a barrier inside of a callback's transaction: it happens if and only if that commits."""

    def __init__(self, plan: Told) -> None:
        self._number = None if plan is None else history().invoke("arm", **fanout.told(plan))
        self.generation: int | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, error: BaseException | None, _: TracebackType | None) -> None:
        if self._number is None:
            return
        if error is None:
            history().ok(self._number, "arm", generation=self.generation)
        elif isinstance(error, InDoubt):
            history().info(self._number, "arm", error)
        else:
            history().fail(self._number, "arm", error)


class Effect:
    """The span of `ctx.tx`: ok when effects and ack are committed, info when nobody knows."""

    def __init__(self, uid: str | None, mine: dict[str, Any]) -> None:
        self._number = history().invoke("effect", **mine, uid=uid)

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, _: TracebackType | None) -> None:
        if error is None:
            history().ok(self._number, "effect")
        elif isinstance(error, InDoubt):
            history().info(self._number, "effect", error)
        else:
            history().fail(self._number, "effect", error)
