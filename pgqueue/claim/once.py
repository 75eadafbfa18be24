"""`once`: do a piece of work under a claim, unless somebody has it or it is finished."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from pgqueue.claim import calls
from pgqueue.claim.model import SKIPPED_DUPLICATE, SKIPPED_TERMINAL
from pgqueue.db.target import run_on
from pgqueue.errors import ClaimHeld, PgQueueError
from pgqueue.log import get_logger
from pgqueue.message.rules import Seconds

R = TypeVar("R")
log = get_logger("pgqueue.claim")


@dataclass(frozen=True, slots=True)
class Terms:
    """How a claim is held: `lease` must outlast the work, `retention` every redelivery of what starts it (seconds)."""

    lease: Seconds = calls.LEASE
    retention: Seconds = calls.RETENTION
    holder: str | None = None


TERMS = Terms()


def once(
    target: Any,
    name: str,
    key: str,
    work: Callable[[], R],
    *,
    finished: Callable[[], bool] | None = None,
    terms: Terms = TERMS,
) -> R | str:
    """Run `work` under the claim and leave its tombstone; return what it returned.

    SKIPPED_DUPLICATE when it was done before. Raises ClaimHeld while somebody is at it, or died at it: skipped then, the
    work could be left to nobody; a handler that lets it through is shown its message again when that lease is over,
    uncounted. SKIPPED_TERMINAL when `finished()`, asked once
    the claim is won, says that the work was finished elsewhere: the tombstone stands again. An exception, raised or
    returned (`Retry()`), gives the claim back. Raises ClaimLost when another one took it over meanwhile. `target` is
    a client, not a connection inside of a transaction: the claim must be seen by others at once.
    """
    token = run_on(target, calls.try_claim(name, key, terms.lease, terms.holder))
    if token is None:
        return _skipped(name, key, run_on(target, calls.wait(name, key)))
    try:
        answer: R | str = SKIPPED_TERMINAL if finished is not None and finished() else work()
    except BaseException:
        try:
            run_on(target, calls.release(name, key, token))
        except PgQueueError as error:
            _not_released(name, key, error)
        raise
    if isinstance(answer, BaseException):
        run_on(target, calls.release(name, key, token))
    else:
        run_on(target, calls.finish(name, key, token, terms.retention))
    return answer


async def once_async(
    target: Any,
    name: str,
    key: str,
    work: Callable[[], Awaitable[R]],
    *,
    finished: Callable[[], Awaitable[bool]] | None = None,
    terms: Terms = TERMS,
) -> R | str:
    """Do the same for an async target, work and hook."""
    token = await run_on(target, calls.try_claim(name, key, terms.lease, terms.holder))
    if token is None:
        return _skipped(name, key, await run_on(target, calls.wait(name, key)))
    try:
        answer: R | str = SKIPPED_TERMINAL if finished is not None and await finished() else await work()
    except BaseException:
        try:
            await run_on(target, calls.release(name, key, token))
        except PgQueueError as error:
            _not_released(name, key, error)
        raise
    if isinstance(answer, BaseException):
        await run_on(target, calls.release(name, key, token))
    else:
        await run_on(target, calls.finish(name, key, token, terms.retention))
    return answer


def _skipped(name: str, key: str, seconds: float | None) -> str:
    if seconds is None:
        return SKIPPED_DUPLICATE
    raise ClaimHeld(f"claim {key!r} of {name!r} is held for another {seconds:.1f} s", seconds=seconds)


def _not_released(name: str, key: str, error: PgQueueError) -> None:
    """Only said: the lease ends it, and the failure of the work is what matters."""
    log.error("claim.release_failed", name=name, key=key, error=str(error))
