"""What a client does while its wire is cut, and what must be true of the messages afterwards."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import psycopg

from pgqueue.errors import InDoubt, Unavailable
from pgqueue.message.model import Message, Outcome
from tests_integration.faults.bench import Bench
from tests_integration.faults.trip import QUEUE, STATEMENT, Trip, held_by


class Scenario(Protocol):
    """`play` is done by the client on the cut wire; `judge` looks at the database. `plain` is the uncut run."""

    def prepare(self, bench: Bench, name: str) -> Any: ...

    def play(self, trip: Trip) -> None: ...

    def judge(self, trip: Trip, plain: Trip, bench: Bench) -> None: ...


def same(found: object, wanted: object, trip: Trip) -> None:
    """Compare, and say where the cut was."""
    if found != wanted:
        raise AssertionError(
            f"found {found!r}, wanted {wanted!r}: {trip.cut.met} after={trip.cut.after}, told {trip.told}"
        )


def warm(trip: Trip) -> None:
    """Make the connection that the next call reuses; itself it runs on a new one, so it is never repeated."""
    trip.call("warm", lambda client: client.peek(QUEUE))


def expect(
    trip: Trip, plain: Trip, step: str, *, repeats: bool, error: type[Exception] = Unavailable
) -> None:
    """A step tells its result, unless the cut fell into a statement that may not be repeated."""
    trip.check_connections(step, plain, repeats=repeats)
    if trip.is_cut_in(step) and not repeats:
        assert isinstance(trip.told[step], error), trip
    else:
        assert not trip.failed(step), trip


@dataclass(frozen=True)
class Send:
    """`error` None: every message has a key, so the send is repeated. Else that is what a lost answer raises."""

    action: Callable[[Any, str], Any]
    size: int = 1
    error: type[Exception] | None = None
    rings: bool = False

    def prepare(self, bench: Bench, name: str) -> None:  # noqa: ARG002 - as the protocol says
        if self.rings:
            bench.be_awaited()

    def play(self, trip: Trip) -> None:
        warm(trip)
        trip.call("send", lambda client: self.action(client, trip.name))

    def judge(self, trip: Trip, plain: Trip, bench: Bench) -> None:
        expect(trip, plain, "warm", repeats=False)
        if trip.is_cut_in("send") and trip.place(plain) > STATEMENT:
            assert self.rings
            self._judge_ring(trip, plain)
        else:
            expect(trip, plain, "send", repeats=self.error is None, error=self.error or Unavailable)
        stored = bench.stored(trip.name)
        there = not trip.failed("send") or trip.is_committed("send", plain)
        assert len(stored) == (self.size if there else 0), trip
        if not trip.failed("send"):
            told = trip.told["send"]
            assert stored == (told if isinstance(told, list) else [told])
        same(bench.drain(), [(trip.name, 1)] * len(stored), trip)

    def _judge_ring(self, trip: Trip, plain: Trip) -> None:
        """A ring that is lost costs nothing: the send has succeeded, and nobody connects for it."""
        assert not trip.failed("send")
        assert trip.opened["send"] == plain.opened["send"]
        assert trip.events.named("ring.failed")
        assert not trip.events.named("call.repeated")


Check = Callable[[Bench, int, Trip], None]


@dataclass(frozen=True)
class Settle:
    """Read one message and settle it; `settled` looks at the row, `comes_back` says whether it is seen again."""

    action: Callable[[Any, Message], Any]
    settled: Check
    comes_back: bool = False
    attempt: int = 2  # which one that is
    error: type[Exception] | None = None

    def prepare(self, bench: Bench, name: str) -> int:
        return bench.send(name)

    def play(self, trip: Trip) -> None:
        warm(trip)
        claimed = trip.call("read", lambda client: client.read(QUEUE))
        if claimed:
            (message,) = claimed
            trip.call("settle", lambda client: self.action(client, message))

    def judge(self, trip: Trip, plain: Trip, bench: Bench) -> None:
        expect(trip, plain, "warm", repeats=False)
        expect(trip, plain, "read", repeats=False)
        if "settle" not in trip.told:
            same(bench.drain(), [(trip.name, 1 + trip.is_committed("read", plain))], trip)
            return
        expect(trip, plain, "settle", repeats=self.error is None, error=self.error or Unavailable)
        if trip.failed("settle"):
            done = trip.is_committed("settle", plain)
        else:
            repeated = trip.is_cut_in("settle")
            assert trip.told["settle"] in ((Outcome.DONE, Outcome.GONE) if repeated else (Outcome.DONE,))
            done = True
        if done:
            self.settled(bench, trip.given, trip)
        left = [(trip.name, self.attempt if done else 2)] if self.comes_back or not done else []
        same(bench.drain(), left, trip)


def _gone(bench: Bench, msg_id: int, _: Trip) -> None:
    assert bench.row(msg_id) is None
    assert (bench.archived(msg_id), bench.dead(msg_id)) == (0, 0)


def _archived(bench: Bench, msg_id: int, _: Trip) -> None:
    assert bench.row(msg_id) is None
    assert bench.archived(msg_id) == 1


def _buried(bench: Bench, msg_id: int, _: Trip) -> None:
    assert bench.row(msg_id) is None
    assert bench.dead(msg_id) == 1


def _waits_for_its_retry(bench: Bench, msg_id: int, _: Trip) -> None:
    assert bench.row(msg_id) == ("retry", 1, 0, "boom")
    assert bench.read() == []


def _released_once(bench: Bench, msg_id: int, _: Trip) -> None:
    row = bench.row(msg_id)
    assert row is not None
    assert row[1:3] == (1, 1)


def _leased_for_longer(bench: Bench, msg_id: int, trip: Trip) -> None:
    bench.let_pass(500)
    assert bench.read() == []
    (message,) = trip.told["read"]
    assert bench.delete(msg_id, message.receipt) == "done"


class Pop:
    """Delivered at most once: where the answer is lost the client is told so."""

    def prepare(self, bench: Bench, name: str) -> int:
        return bench.send(name)

    def play(self, trip: Trip) -> None:
        warm(trip)
        trip.call("pop", lambda client: client.pop(QUEUE))

    def judge(self, trip: Trip, plain: Trip, bench: Bench) -> None:
        expect(trip, plain, "warm", repeats=False)
        expect(trip, plain, "pop", repeats=False, error=InDoubt)
        left = trip.failed("pop") and not trip.is_committed("pop", plain)
        same([name for name, _ in bench.drain()], [trip.name] * left, trip)


class ActAndAck:
    """`ctx.tx()`: effect and ack in one commit."""

    def prepare(self, bench: Bench, name: str) -> int:
        return bench.send(name)

    def play(self, trip: Trip) -> None:
        warm(trip)
        claimed = trip.call("read", lambda client: client.read(QUEUE))
        if claimed:
            trip.step("tx", lambda side: side.act_and_ack(held_by(claimed[0]), trip.name))

    def judge(self, trip: Trip, plain: Trip, bench: Bench) -> None:
        expect(trip, plain, "warm", repeats=False)
        expect(trip, plain, "read", repeats=False)
        if "tx" in trip.told:
            trip.check_connections("tx", plain, repeats=False)
            committed = judge_commit(trip, plain, "tx", InDoubt)
            assert bench.effects(trip.name) == committed, trip
            assert bool(bench.stored(trip.name)) is not committed
        bench.drain(acting=True)
        assert bench.effects(trip.name) == 1


class CallersTransaction:
    """A send on the caller's connection: it exists if and only if the caller's transaction was committed."""

    def prepare(self, bench: Bench, name: str) -> None: ...

    def play(self, trip: Trip) -> None:
        trip.step("transaction", lambda side: side.send_in_own_transaction(trip.name))

    def judge(self, trip: Trip, plain: Trip, bench: Bench) -> None:
        if trip.cut.met is not None and not trip.is_cut_in("transaction"):  # the caller's own connecting
            assert isinstance(trip.told["transaction"], psycopg.OperationalError)
            committed = False
        else:
            committed = judge_commit(trip, plain, "transaction", psycopg.OperationalError)
        assert trip.opened == plain.opened, "nobody reconnects for the caller"
        assert not trip.events.named("call.repeated")
        same(bench.drain(), [(trip.name, 1)] * committed, trip)


def judge_commit(trip: Trip, plain: Trip, step: str, in_doubt: type[Exception]) -> bool:
    """Check the error of a transaction, whose last message is the commit; return whether it was committed."""
    if not trip.is_cut_in(step):
        assert not trip.failed(step), trip
        return True
    if trip.place(plain) < plain.place_of_last(step):
        assert isinstance(trip.told[step], Unavailable | psycopg.OperationalError), trip
        return False
    assert isinstance(trip.told[step], in_doubt), trip
    return trip.cut.after


def _body(name: str) -> dict[str, str]:
    return {"name": name}


SCENARIOS: dict[str, Scenario] = {
    "send with key": Send(lambda c, name: c.send(QUEUE, _body(name), key=name)),
    "send without key": Send(lambda c, name: c.send(QUEUE, _body(name)), error=InDoubt),
    "send while somebody waits": Send(lambda c, name: c.send(QUEUE, _body(name), key=name), rings=True),
    "send_many with keys": Send(
        lambda c, name: c.send_many(QUEUE, [_body(name)] * 3, keys=[f"{name} {n}" for n in range(3)]), size=3
    ),
    "send_many without keys": Send(
        lambda c, name: c.send_many(QUEUE, [_body(name)] * 3), size=3, error=InDoubt
    ),
    "read, delete": Settle(lambda c, m: c.delete(QUEUE, m.msg_id, m.receipt), _gone),
    "read, delete without receipt": Settle(lambda c, m: c.delete(QUEUE, m.msg_id), _gone, error=InDoubt),
    "read, archive": Settle(lambda c, m: c.archive(QUEUE, m.msg_id, m.receipt), _archived),
    "read, bury": Settle(lambda c, m: c.bury(QUEUE, m.msg_id, "hopeless", None, m.receipt), _buried),
    "read, retry": Settle(
        lambda c, m: c.retry(QUEUE, m.msg_id, 600, "boom", m.receipt), _waits_for_its_retry, comes_back=True
    ),
    "read, release": Settle(
        lambda c, m: c.release(QUEUE, m.msg_id, m.receipt), _released_once, comes_back=True, attempt=1
    ),
    "read, set_vt": Settle(lambda c, m: c.set_vt(QUEUE, m.msg_id, 600, m.receipt), _leased_for_longer),
    "pop": Pop(),
    "read, ctx.tx": ActAndAck(),
    "send in the caller's transaction": CallersTransaction(),
}
