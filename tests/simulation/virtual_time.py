"""An event loop whose clock jumps to the next thing that is due: hours pass in milliseconds, always alike."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class NothingDue(AssertionError):
    """Everybody waits, and nothing will ever wake them."""


class _Jumps(selectors.SelectSelector):
    """Waits for no file: waiting is moving the clock."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0

    def select(self, timeout: float | None = None) -> list[Any]:
        if timeout is None:
            raise NothingDue("everybody waits for somebody else")
        self.now += timeout
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    """For simulations in one thread: what would run in another one runs at once, in this."""

    def __init__(self) -> None:
        self._jumps = _Jumps()
        super().__init__(self._jumps)

    def time(self) -> float:
        return self._jumps.now

    def run_in_executor(  # type: ignore[override]
        self,
        executor: object,  # noqa: ARG002 - there is none
        func: Callable[..., T],
        *args: Any,
    ) -> asyncio.Future[T]:
        done: asyncio.Future[T] = self.create_future()
        done.set_result(func(*args))
        return done


def simulate(main: Callable[[VirtualLoop], Coroutine[Any, Any, T]]) -> T:
    """Run `main` on a loop of its own that begins at 0 s."""
    loop = VirtualLoop()
    try:
        return loop.run_until_complete(main(loop))
    finally:
        while left := asyncio.all_tasks(loop):
            for task in left:
                task.cancel()
            loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
        loop.close()
