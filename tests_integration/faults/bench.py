"""The healthy side of a wire-cut test: what really stands in the database, and the consumer that finds the rest."""

from __future__ import annotations

import time
from typing import Any

from tests_integration.faults.trip import EFFECT, QUEUE
from tests_integration.fixtures.clock import Clock
from tests_integration.fixtures.database import Database

OURS = "select count(*) from pg_stat_activity where datname = current_database() and starts_with(application_name, 'pgqueue/')"
PATIENCE = 10.0
LONG = 4_000  # seconds after which every lease and every delay of the scenarios is over


class Bench:
    """One queue of a database whose clock stands still."""

    def __init__(self, database: Database, kind: str) -> None:
        self._db = database.connect()
        self._clock = Clock(database.connect())
        self._db.execute("select pgqueue.create_queue(%s, %s)", [QUEUE, kind])
        self._db.execute("create table public.effect (name text)")

    def send(self, name: str) -> int:
        sent: int = self._one("select pgqueue.send('orders', jsonb_build_object('name', %s::text))", [name])
        return sent

    def be_awaited(self) -> None:
        """Let somebody wait for a message, so that the next sender rings."""
        self._db.execute("select from pgqueue.read_or_await__orders(wait => '1 h')")

    def settled_down(self) -> None:
        """Return when the server has noticed that the client's sessions are over."""
        deadline = time.monotonic() + PATIENCE
        while self._one(OURS, []):
            assert time.monotonic() < deadline, "a session outlived its client"
            time.sleep(0.001)

    def stored(self, name: str) -> list[int]:
        rows = self._db.execute(
            "select msg_id from pgqueue.q_orders where message ->> 'name' = %s order by 1", [name]
        )
        return [msg_id for (msg_id,) in rows]

    def row(self, msg_id: int) -> tuple[Any, ...] | None:
        """(state, read_ct, release_ct, error) of a message that waits."""
        return self._db.execute(
            "select state, read_ct, release_ct, error from pgqueue.messages where queue = 'orders' and msg_id = %s",
            [msg_id],
        ).fetchone()

    def archived(self, msg_id: int) -> int:
        count: int = self._one("select count(*) from pgqueue.a_orders where msg_id = %s", [msg_id])
        return count

    def dead(self, msg_id: int) -> int:
        count: int = self._one(
            "select count(*) from pgqueue.dead_letters where queue = 'orders' and msg_id = %s", [msg_id]
        )
        return count

    def effects(self, name: str) -> int:
        count: int = self._one("select count(*) from public.effect where name = %s", [name])
        return count

    def let_pass(self, seconds: float) -> None:
        self._clock.advance(seconds)

    def read(self) -> list[tuple[int, int, str, int]]:
        """(msg_id, attempt, name, receipt) of what can be claimed now: a read that was rolled back is no attempt."""
        return self._db.execute(
            "select msg_id, read_ct - release_ct, message ->> 'name', receipt from pgqueue.read('orders', '30 s', 100)"
        ).fetchall()

    def delete(self, msg_id: int, receipt: int) -> str:
        outcome: str = self._one("select pgqueue.delete('orders', %s, %s)", [msg_id, receipt])
        return outcome

    def drain(self, *, acting: bool = False) -> list[tuple[str, int]]:
        """Consume everything that is left, when every lease has run out; return (name, attempt) of each.

        `acting`: do the effect of each message, as the consumer would have done.
        """
        self.let_pass(LONG)
        deadline = time.monotonic() + PATIENCE
        found = []
        while True:
            for msg_id, attempt, name, receipt in self.read():
                if acting:
                    self._db.execute(EFFECT, [name])
                assert self.delete(msg_id, receipt) == "done"
                found.append((name, attempt))
            if self._one("select count(*) from pgqueue.q_orders", []) == 0:
                return found
            # Behind the gap of a rolled-back read or send a message waits for every transaction of the server.
            assert time.monotonic() < deadline, f"a message is left that no read brings, after {found}"

    def _one(self, sql: str, params: list[Any]) -> Any:
        row = self._db.execute(sql.encode(), params).fetchone()
        assert row is not None
        return row[0]
