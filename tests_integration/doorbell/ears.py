"""Who rings, and who hears it."""

from __future__ import annotations

from typing import Any

import psycopg

from tests_integration.fixtures.verbs import Queue, rows

RECORD = """
    create table public.rung (mode text, is_own_transaction boolean, messages bigint);
    create or replace function pgqueue.ring__orders() returns boolean language plpgsql as $$
    begin
        insert into public.rung
        select current_setting('synchronous_commit'), not exists (
                   select from pgqueue.r_orders r where r.xmin = pg_current_xact_id()::xid),
               (select count(*) from pgqueue.q_orders);
        return true;
    end $$;
"""


class Ears:
    """A session that listens on the channel of a queue."""

    def __init__(self, connection: psycopg.Connection, queue: str) -> None:
        self._connection = connection
        connection.execute(f'listen "pgqueue_{queue}"'.encode())

    def heard(self) -> int:
        """Count the rings since the last question: what was committed before has arrived by then."""
        self._connection.execute("select 1")
        return len(list(self._connection.notifies(timeout=0)))


def wait_for_message(orders: Queue, seconds: float = 60) -> list[Any]:
    """Read, and be a waiter where there is nothing."""
    return orders.rows("read_or_await", wait=f"{seconds} s")


def is_awaited(orders: Queue) -> bool:
    found: bool = orders.call("is_awaited")
    return found


def record_rings(db: psycopg.Connection) -> None:
    """Have the ring of `orders` write down how it was called, in place of ringing."""
    db.execute(RECORD)


def recorded(db: psycopg.Connection) -> list[tuple[Any, ...]]:
    """(synchronous_commit, in a transaction of its own, messages in the queue) of each ring."""
    return [tuple(row) for row in rows(db, "select * from public.rung")]
