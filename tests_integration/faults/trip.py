"""One run of a scenario through a fault proxy that cuts it at one message, and what must hold of every step."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import psycopg

from pgqueue import AsyncPgQueue, PgQueue
from pgqueue.client.doors import work_door
from pgqueue.consumer.calls import ack
from pgqueue.consumer.model import Held
from pgqueue.consumer.settings import make_plan
from pgqueue.consumer.transaction import SettlingTransaction
from pgqueue.db.transaction import Transactions
from pgqueue.errors import PgQueueError
from pgqueue.message.model import Message
from pgqueue.queue.model import QueueSettings
from tests_integration.db.client_messages import WireCut
from tests_integration.db.fault_proxy import FaultProxy
from tests_integration.db.faults import Events

QUEUE = "orders"
EFFECT = "insert into public.effect values (%s)"
CONNECTING = frozenset({"request", "startup", "password"})
STATEMENT = 5  # messages of one statement: parse, bind, describe, execute, sync


class Side(Protocol):
    """The public client, sync or async, and a transaction with the ack, through the proxy."""

    def do(self, action: Callable[[Any], Any]) -> Any: ...

    def act_and_ack(self, held: Held, name: str) -> None: ...

    def send_in_own_transaction(self, name: str) -> int: ...

    def close(self) -> None: ...


class SyncSide:
    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self._client = PgQueue(dsn)
        self._transactions = Transactions(work_door(dsn, {}, "handler"), 1)

    def do(self, action: Callable[[Any], Any]) -> Any:
        return action(self._client)

    def act_and_ack(self, held: Held, name: str) -> None:
        with SettlingTransaction(held, self._transactions.ending_with(ack(held))) as tx:
            tx.execute(EFFECT, [name])

    def send_in_own_transaction(self, name: str) -> int:
        with psycopg.connect(self._dsn, application_name="pgqueue/caller") as connection:
            return self._client.on(connection).send(QUEUE, {"name": name})

    def close(self) -> None:
        self._client.close()
        self._transactions._pool.close()


class AsyncSide:
    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self._loop = asyncio.new_event_loop()
        self._client = AsyncPgQueue(dsn)
        self._transactions = Transactions(work_door(dsn, {}, "handler"), 1)

    def do(self, action: Callable[[Any], Any]) -> Any:
        return self._loop.run_until_complete(action(self._client))

    def act_and_ack(self, held: Held, name: str) -> None:
        async def act() -> None:
            async with SettlingTransaction(held, self._transactions.ending_with(ack(held))) as tx:
                await tx.execute(EFFECT, [name])

        self._loop.run_until_complete(act())

    def send_in_own_transaction(self, name: str) -> int:
        async def send() -> int:
            opening = psycopg.AsyncConnection.connect(self._dsn, application_name="pgqueue/caller")
            async with await opening as connection:
                return await self._client.on(connection).send(QUEUE, {"name": name})

        return self._loop.run_until_complete(send())

    def close(self) -> None:
        self._loop.run_until_complete(self._client.close())
        self._loop.run_until_complete(self._transactions.close())
        self._loop.close()


SIDES: dict[str, Callable[[str], Side]] = {"sync": SyncSide, "async": AsyncSide}


@dataclass
class Trip:
    """Steps are named and in order; `told` has what each of them returned or raised."""

    name: str
    side: Side
    proxy: FaultProxy
    cut: WireCut
    events: Events
    given: Any = None  # what the scenario prepared
    told: dict[str, Any] = field(default_factory=dict)
    opened: dict[str, int] = field(default_factory=dict)  # links made by the end of each step

    def __post_init__(self) -> None:
        self._links_before = self.proxy.links
        self.proxy.wire_cut = self.cut
        self.events.seen.clear()

    def step(self, step: str, action: Callable[[Side], Any]) -> Any:
        """Let the client do something; an error is kept, not raised. Returns None then."""
        self.cut.step = step
        try:
            self.told[step] = action(self.side)
        except (PgQueueError, psycopg.Error) as error:
            self.told[step] = error
        self.opened[step] = self.proxy.links - self._links_before
        return None if self.failed(step) else self.told[step]

    def call(self, step: str, action: Callable[[Any], Any]) -> Any:
        """Let the client call one of its verbs."""
        return self.step(step, lambda side: side.do(action))

    def failed(self, step: str) -> bool:
        return isinstance(self.told.get(step), BaseException)

    def is_cut_in(self, step: str) -> bool:
        """Tell whether the cut fell into a statement of this step, not into opening the connection for it."""
        return self.cut.met is not None and self.cut.met[0] == step and self.cut.met[1] not in CONNECTING

    def is_committed(self, step: str, plain: Trip) -> bool:
        """Tell whether the first statement of this step took effect before the connection was cut."""
        if not self.is_cut_in(step):
            return True
        return self.cut.after and self.place(plain) >= STATEMENT

    def place(self, plain: Trip) -> int:
        """Say which message of its step, counted from 1 and without connecting, the cut fell on."""
        assert self.cut.met is not None
        return _statements(plain.cut.passed[: self.cut.at], self.cut.met[0])

    def place_of_last(self, step: str) -> int:
        """Say which place the last message of a step has; asked of the uncut run."""
        return _statements(self.cut.passed, step)

    def check_connections(self, step: str, plain: Trip, *, repeats: bool) -> None:
        """One reconnect where the step may repeat, or where connecting itself was cut; else none."""
        if self.cut.met is None or self.cut.met[0] != step:
            return
        again = self.cut.met[1] in CONNECTING or repeats
        assert self.opened[step] == plain.opened[step] + again, (self.cut, self.opened, plain.opened)
        assert len(self.events.named("call.repeated")) == int(repeats and self.is_cut_in(step))


def _statements(passed: Sequence[tuple[str, str]], step: str) -> int:
    return sum(of == step and name not in CONNECTING for of, name in passed)


def held_by(message: Message) -> Held:
    """Make what a consumer would know of a message that it has just claimed."""
    plan = make_plan(QUEUE, QueueSettings(), {})
    now = time.monotonic()
    return Held(plan, message, now, now + plan.vt)
