"""The stage of a race: a queue `x`, its sessions, a clock that stands still, and a place to stop a session at."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg

from tests_integration.fixtures.clock import Clock
from tests_integration.fixtures.database import Database
from tests_integration.fixtures.verbs import Background, Kind, Queue, create_queue, scalar
from tests_integration.fixtures.waiting import eventually, wait_until_blocked
from tests_integration.mutants.planting import QUEUE, Edit, Mutant, rewrite

GATE = 4711
STRETCH = 131_072

# Receipts are numbered, so that nothing happens at random: what one read in so many does besides depends on the lowest bits.
# Unlogged, for a logged sequence gives its caller an xid now and then.
INSTALL = f"""
create unlogged sequence pgqueue_test.receipts;
create function pgqueue_test.pause() returns bigint language plpgsql as $$
begin
    perform pg_catalog.pg_advisory_xact_lock_shared({GATE});
    return 0;
end $$;
"""
RECEIPTS = """
create or replace function pgqueue.new_receipt(instant timestamptz) returns bigint language sql volatile as
$$ select pg_catalog.nextval('pgqueue_test.receipts') * 64 + {} $$
"""
NOTHING_BESIDES = 2
WALK = 0


class BrokenError(AssertionError):
    """What the guard promises did not hold."""


def promise(kept: bool, text: str) -> None:
    if not kept:
        raise BrokenError(text)


class Scene:
    """One queue, made for one play."""

    def __init__(self, database: Database, kind: Kind = "log", mutant: Mutant | None = None) -> None:
        self._database = database
        self.control = database.connect()
        self.clock = Clock(database.connect())
        self.control.execute(INSTALL.encode())
        self.number_receipts(NOTHING_BESIDES)
        create_queue(self.control, QUEUE, kind)
        self.queue = Queue(self.control, QUEUE, kind=kind)
        if mutant:
            mutant.plant(self.control)

    def number_receipts(self, lowest_bits: int) -> None:
        self.control.execute(RECEIPTS.format(lowest_bits).encode())

    def session(self, *, patience: str = "0") -> Queue:
        """Open a session of its own; one with patience fails rather than wait longer for a lock."""
        connection = self._database.connect()
        connection.execute(f"set lock_timeout = '{patience}'".encode())
        return self.queue.on(connection)

    def edit(self, function: str, old: str, new: str) -> None:
        """Change what both the shipped SQL and the mutant run: a constant, or a place to pause."""
        rewrite(self.control, Edit(function, old, new))

    def pause(self, function: str, after: str) -> None:
        """Let every session stop at that place while the gate is shut."""
        self.edit(function, after, f"{after} perform pgqueue_test.pause();")

    def shut_gate(self) -> None:
        self.control.execute("select pg_advisory_lock(%s)", [GATE])

    def open_gate(self) -> None:
        self.control.execute("select pg_advisory_unlock(%s)", [GATE])

    def start(self, session: Queue, action: Callable[[Queue], Any]) -> Background:
        """Start an action and return when it waits for a lock, or has ended without."""
        running = Background(lambda: action(session))
        pid = session.connection.info.backend_pid
        waits = "select cardinality(pg_blocking_pids(%s)) > 0"
        eventually(lambda: not running.running or scalar(self.control, waits, pid))
        return running

    def start_blocked(self, session: Queue, action: Callable[[Queue], Any]) -> Background:
        """Start an action and return when it waits for a lock."""
        running = Background(lambda: action(session))
        wait_until_blocked(self.control, session.connection.info.backend_pid)
        return running

    def lend(self, count: int = 1, vt: str = "30 s") -> list[Any]:
        """Send messages and read them, each step committed; the log is claimed by one claim."""
        self.queue.send_many(count)
        messages = self.queue.read(qty=count, vt=vt)
        assert len(messages) == count
        return messages

    def look_at_the_first_gap(self) -> None:
        """Take chance out of where mend begins."""
        self.edit("mend", "random() < 0.5", "false")

    def leave_gap(self) -> tuple[Queue, int, list[Any]]:
        """Let a message be read on either side of one whose sender is open; return sender, its id, and what was read."""
        sender = self.session()
        self.look_at_the_first_gap()
        self.queue.send()
        sender.connection.execute("begin")
        late = sender.send()
        self.queue.send()
        self.clock.advance(1)
        messages = self.queue.read(qty=10)
        assert [message.msg_id for message in messages] == [late - 1, late + 1]
        return sender, late, messages

    def leave_orphan(self) -> int:
        """Let a reader roll back when sweep has already noted the cursor and waits for that reader; return the id."""
        reader = self.session()
        self.queue.send()
        reader.connection.execute("begin")
        msg_id: int = reader.read_one().msg_id
        self.queue.rows("maintain")
        reader.connection.execute("rollback")
        return msg_id

    def go_to(self, msg_id: int) -> None:
        """Let the next message have that id, the cursor just before it."""
        self.control.execute(
            "select setval('pgqueue.s_x', %(to)s - 1), setval('pgqueue.u_x', %(to)s - 1)", {"to": msg_id}
        )

    def drain(self) -> dict[int, Any]:
        """Read and ack everything that ever comes, while time goes on for minutes; return the messages by id."""
        session, found = self.session(patience="5s"), {}
        for _ in range(4):
            self.clock.advance(61)
            session.rows("maintain")
            while messages := session.read(qty=100):
                found.update({message.msg_id: message for message in messages})
                ids, receipts = ([m.msg_id for m in messages], [m.receipt for m in messages])
                session.rows("delete_batch", msg_ids=ids, receipts=receipts)
        return found


@contextmanager
def expected_to_run(text: str) -> Iterator[None]:
    """Take an error of the database for a broken promise: `text` says that this goes through, and at once."""
    try:
        yield
    except (psycopg.errors.SyntaxError, psycopg.errors.UndefinedObject):
        raise  # a mutant that does not compile is not caught
    except psycopg.Error as error:
        raise BrokenError(f"{text}: {error}") from error


def ids(messages: list[Any]) -> list[int]:
    return [message.msg_id for message in messages]
