"""Work under a claim, as an orchestrator does it: what the handlers of claim messages call.

The calls themselves are written down by the recorder, as those of the consumer are.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable
from functools import cache
from typing import Any

from pgqueue import AsyncPgQueue, PgQueue
from pgqueue import claim as claims
from pgqueue.claim import Terms

NAME = "torture"
RETENTION = 3600  # longer than any run: a tombstone has to stand until its end
CALL_TIMEOUT = 4.0
SESSIONS = 2


@cache
def _client() -> PgQueue:
    return PgQueue(
        os.environ["PGQUEUE_DSN"], role="orchestrator", call_timeout=CALL_TIMEOUT, max_connections=SESSIONS
    )


@cache
def _async_client() -> AsyncPgQueue:
    return AsyncPgQueue(
        os.environ["PGQUEUE_DSN"], role="orchestrator", call_timeout=CALL_TIMEOUT, max_connections=SESSIONS
    )


def once(uid: str, told: dict[str, Any], ms: int, fail: Callable[[], None]) -> object:
    def work() -> str:
        time.sleep(ms / 1000)
        fail()
        return "worked"

    return claims.once(_client(), NAME, told["key"], work, terms=_terms(uid, told))


async def once_async(uid: str, told: dict[str, Any], ms: int, fail: Callable[[], None]) -> object:
    async def work() -> str:
        await asyncio.sleep(ms / 1000)
        fail()
        return "worked"

    return await claims.once_async(_async_client(), NAME, told["key"], work, terms=_terms(uid, told))


def _terms(uid: str, told: dict[str, Any]) -> Terms:
    return Terms(lease=told["lease"], retention=RETENTION, holder=uid[:200])
