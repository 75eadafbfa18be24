"""A model of the leases and chores in the database, and of the ways of processes to it, in virtual time."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

from pgqueue.call import Call
from pgqueue.errors import InDoubt, PgQueueError, Unavailable
from pgqueue.leadership.model import Bid
from pgqueue.reaper.model import Answer, Turn


@dataclass
class Row:
    holder: str | None
    token: int
    until: float


class Server:
    """Does what the SQL functions say, at the loop's time."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.row: Row | None = None
        self.tokens = 0
        self.next_at: dict[str, float] = {}
        self.chore_token: dict[str, int] = {}
        self.ended: list[tuple[str, int, str | None]] = []
        self.queues: list[str] = []
        self.clock_shift = 0.0

    @property
    def now(self) -> float:
        return self.loop.time() + self.clock_shift

    def answer(self, call: Call[Any]) -> Any:
        return getattr(self, call.name.replace(".", "_"))(*call.params)

    def leadership_try(self, _name: str, holder: str, lease: float) -> Bid:
        if self.row and self.row.holder not in {None, holder} and self.row.until > self.now:
            return Bid(None, self.row.until - self.now)
        self.tokens += 1
        self.row = Row(holder, self.tokens, self.now + lease)
        return Bid(self.tokens, lease)

    def leadership_renew(self, _name: str, holder: str, token: int, lease: float) -> bool:
        if not self.row or (self.row.holder, self.row.token) != (holder, token):
            return False
        self.row.until = self.now + lease
        return True

    def leadership_resign(self, _name: str, holder: str, token: int) -> bool:
        if not self.row or (self.row.holder, self.row.token) != (holder, token):
            return False
        self.row = Row(None, token, self.now)
        return True

    def reaper_begin(self, chore: str, every: float, holder: str, token: int) -> Turn:
        row = self.row
        if not row or (row.holder, row.token) != (holder, token) or row.until <= self.now:
            return Turn(Answer.LOST, every)
        if self.next_at.get(chore, 0.0) > self.now:
            return Turn(Answer.LATER, self.next_at[chore] - self.now)
        self.next_at[chore], self.chore_token[chore] = self.now + every, token
        return Turn(Answer.DUE, every)

    def reaper_end(self, chore: str, _token: int, moved: int, error: str | None, more: bool) -> None:
        self.ended.append((chore, moved, error))
        if more:
            self.next_at[chore] = self.now

    def reaper_queues(self) -> list[str]:
        return self.queues


class Way:
    """The connection of one process: a runner that notes its calls, and that can be cut, slow or refused."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.called: list[tuple[float, str]] = []
        self.cut = False
        self.refusals: dict[str, PgQueueError] = {}
        self.slow: dict[str, float] = {}

    def names(self) -> list[str]:
        return [name for _, name in self.called]

    def times(self, name: str) -> list[float]:
        return [at for at, called in self.called if called == name]

    async def run(self, call: Call[Any]) -> Any:
        self.called.append((self.server.loop.time(), call.name))
        await asyncio.sleep(self.slow.get(call.name, 0.001))
        if self.cut:
            raise Unavailable("cut") if call.name != "leadership.renew" else InDoubt("cut")
        if call.name in self.refusals:
            raise self.refusals[call.name]
        return self.server.answer(call)
