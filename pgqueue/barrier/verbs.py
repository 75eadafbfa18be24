"""The verbs on whatever is at hand: a client, `client.on(connection)`, or your psycopg connection.

For an async target each returns an awaitable of what is said here.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any

from pgqueue.barrier import calls
from pgqueue.barrier.model import Options, PartOf, PartResult, Sending
from pgqueue.db.target import run_on


def arm(
    target: Any, key: str, parts: Sequence[Sending], callback: Sending, options: Options = calls.DEFAULT
) -> Any:
    """Send all parts and arm the barrier; return the generation of this run, None where there are no parts."""
    return run_on(target, calls.arm(key, parts, callback, options))


def add(target: Any, part: PartOf, parts: Sequence[Sending]) -> Any:
    """Let a live part add parts before it arrives; return the number of the first one."""
    return run_on(target, calls.add(part, parts))


def abort(target: Any, key: str, reason: str | None = None) -> Any:
    """End the live barrier of a key without its callback."""
    return run_on(target, calls.abort(key, reason))


def results(target: Any, key: str, generation: int, *, page: int = 100) -> Iterator[PartResult]:
    """Go through what the parts brought, in their order, a page at a time."""
    after, full = -1, True
    while full:
        found: list[PartResult] = run_on(target, calls.results(key, generation, after_part=after, qty=page))
        yield from found
        full = len(found) == page
        after = found[-1].part if found else after


async def results_async(
    target: Any, key: str, generation: int, *, page: int = 100
) -> AsyncIterator[PartResult]:
    """Do the same for an async target."""
    after, full = -1, True
    while full:
        found: list[PartResult] = await run_on(
            target, calls.results(key, generation, after_part=after, qty=page)
        )
        for one in found:
            yield one
        full = len(found) == page
        after = found[-1].part if found else after
