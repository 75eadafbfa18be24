"""A handler that forks: the child ends where its handler ends, before it touches anything that it shares with us.

It shares connections, the record of what is held and the loop's poll with the process that it was forked from; one
message settled by it would be settled twice. What the child does inside of the handler is its own affair.
"""

from __future__ import annotations

import asyncio
import os


class _Child:
    is_one = False
    loop: asyncio.AbstractEventLoop | None = None


def watch_forks() -> None:
    """From now on, know a forked child of this process. Ask `leave_if_forked` wherever a handler returns.

    The child of an async handler ends at the first `await` that lets the loop go on.
    """
    os.register_at_fork(before=_before, after_in_child=_note)


def leave_if_forked() -> None:
    """End this process when it was forked by a handler."""
    if _Child.is_one:
        os._exit(0)


def _before() -> None:
    try:
        _Child.loop = asyncio.get_running_loop()
    except RuntimeError:  # this is no thread with a loop
        _Child.loop = None


def _note() -> None:
    _Child.is_one = True
    if _Child.loop is not None:
        # What waits for its turn on the loop belongs to the parent: other handlers, and answers of the database.
        ready = getattr(_Child.loop, "_ready", None)
        if ready is not None:
            ready.clear()
        _Child.loop.call_soon(leave_if_forked)
