"""Both clients behind one face: the verbs are the same, only the waiting differs."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any, cast

import pytest

from pgqueue import AsyncPgQueue, PgQueue


class Awaited:
    """An AsyncPgQueue that can be called like a PgQueue."""

    def __init__(self, client: AsyncPgQueue) -> None:
        self._client = client
        self._loop = asyncio.new_event_loop()

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._client, name)

        def call(*args: Any, **kwargs: Any) -> Any:
            result = method(*args, **kwargs)
            return self._loop.run_until_complete(result) if inspect.isawaitable(result) else result

        return call

    def end(self) -> None:
        self._loop.run_until_complete(self._client.close())
        self._loop.close()


OpenClient = Callable[..., PgQueue]


@pytest.fixture(params=["sync", "async"])
def open_client(request: pytest.FixtureRequest) -> Iterator[OpenClient]:
    with ExitStack() as stack:

        def make(dsn: str, **options: Any) -> PgQueue:
            if request.param == "sync":
                client = PgQueue(dsn, **options)
                stack.callback(client.close)
                return client
            awaited = Awaited(AsyncPgQueue(dsn, **options))
            stack.callback(awaited.end)
            return cast("PgQueue", awaited)

        yield make
