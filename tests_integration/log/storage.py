"""What tests of the log look up in its tables."""

from __future__ import annotations

from typing import Any

from tests_integration.fixtures.verbs import Queue, rows, scalar

SIDE = 131_072  # ids go to l_ and m_ in turn, so many to each


def set_ids(queue: Queue, last: int) -> None:
    """Let a fresh queue go on after that id, as if all before it had been read and acked."""
    name = queue.name
    queue.connection.execute(
        f"select setval('pgqueue.s_{name}', {last}), setval('pgqueue.u_{name}', {last})".encode()
    )


def cursor(queue: Queue) -> int:
    found: int = scalar(queue.connection, f"select last_value from pgqueue.u_{queue.name}")
    return found


def held_in(queue: Queue, table: str) -> list[int]:
    """Return the ids in l_, m_ or r_."""
    return [
        row.msg_id
        for row in rows(queue.connection, f"select msg_id from pgqueue.{table}{queue.name} order by 1")
    ]


def claims(queue: Queue) -> list[Any]:
    return rows(queue.connection, f"select * from pgqueue.c_{queue.name} order by lo")


def ids_of(messages: list[Any]) -> list[int]:
    return [message.msg_id for message in messages]


def maintain(queue: Queue) -> Any:
    (answer,) = rows(queue.connection, f"select * from pgqueue.maintain('{queue.name}')")
    return answer


def take_locks(queue: Queue) -> int:
    """Count the advisory locks that anybody holds or waits for."""
    found: int = scalar(queue.connection, "select count(*) from pg_locks where locktype = 'advisory'")
    return found
