"""Every order of the statements of two transactions at one barrier, with a crash of either after each statement.

What remains is then delivered again, as a consumer would get it. Whatever happened: the barrier ends once, with its
callback or its failure, never both and never neither, and its counts are those of its parts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import psycopg
import pytest

from tests_integration.barrier.fan import FAILURE, Fan
from tests_integration.barrier.orders import Session, Step, courses, play
from tests_integration.fixtures.database import Database
from tests_integration.fixtures.verbs import rows, scalar

# what a statement of a session answers that was killed, or whose barrier is over
DEATH = {"57P01", "lost", "PQ012", "25P02"}
Script = Callable[[Fan, int, Sequence[Any]], list[Step]]


def acking(number: int) -> Script:
    """Ack and arrive as two statements, the finest that a transaction of ours can be cut into."""

    def script(fan: Fan, generation: int, messages: Sequence[Any]) -> list[Step]:
        message = messages[number]
        return [
            ("select pgqueue.delete('parts', %s, %s)", (message.msg_id, message.receipt)),
            ("select pgqueue.barrier_arrive('b', %s, %s, '1')", (generation, number)),
            ("commit", ()),
        ]

    return script


def burying(number: int) -> Script:
    def script(fan: Fan, generation: int, messages: Sequence[Any]) -> list[Step]:
        message = messages[number]
        return [
            ("select pgqueue.bury('parts', %s, 'x', null, %s)", (message.msg_id, message.receipt)),
            ("select pgqueue.barrier_fail('b', %s, %s, 'x')", (generation, number)),
            ("commit", ()),
        ]

    return script


def aborting(fan: Fan, generation: int, messages: Sequence[Any]) -> list[Step]:
    return [("select pgqueue.barrier_abort('b')", ()), ("commit", ())]


def adding(number: int) -> Script:
    def script(fan: Fan, generation: int, messages: Sequence[Any]) -> list[Step]:
        more = '[{"queue": "parts", "message": {"n": 9}}]'
        add = ("select pgqueue.barrier_add('b', %s, %s, %s)", (generation, number, more))
        return [add, *acking(number)(fan, generation, messages)]

    return script


def arming_anew(fan: Fan, generation: int, messages: Sequence[Any]) -> list[Step]:
    arm = """select pgqueue.barrier_arm('b', '[{"queue": "parts", "message": {"n": 7}}]',
           '{"queue": "total", "message": {"task": "sum"}}', '{"new_generation": true}')"""
    return [(arm, ()), ("commit", ())]


PAIRS: dict[str, tuple[Script, Script, str]] = {
    "last two arrive": (acking(0), acking(1), "abort"),
    "one part arrives twice": (acking(0), acking(0), "abort"),
    "last arrives, one fails": (acking(0), burying(1), "abort"),
    "both fail, collected": (burying(0), burying(1), "collect"),
    "one is retried, one arrives": (burying(0), acking(1), "retry"),
    "abort against an arrival": (acking(0), aborting, "abort"),
    "two aborts": (aborting, aborting, "abort"),
    "one adds, one arrives": (adding(0), acking(1), "abort"),
    "new generation against an arrival": (acking(0), arming_anew, "abort"),
}


@pytest.fixture
def fan(row_fan: Fan) -> Fan:
    return row_fan


@pytest.mark.timeout(180)
@pytest.mark.parametrize("pair", PAIRS)
def test_barrier_ends_once_whatever_the_order_and_whoever_dies(
    fan: Fan, database: Database, pair: str
) -> None:
    first, second, policy = PAIRS[pair]
    found = list(verdicts(fan, database, (first, second), policy))
    assert [verdict for verdict in found if not verdict.endswith(": fine")] == []
    assert len(found) >= 18


def test_mutant_that_counts_without_the_member_row_is_caught(fan: Fan, database: Database) -> None:
    """The negative control: a count that every redelivery takes down again."""
    plant(fan.db, "and p.state = 'open'", "")
    assert is_caught(fan, database, (acking(0), acking(0)))


def test_mutant_that_reads_the_count_before_the_lock_is_caught(fan: Fan, database: Database) -> None:
    old = "(select o.open from pgqueue.barrier o where o.generation = b.generation)"
    plant(fan.db, "when b.open = c.ended then 'done'", f"when {old} = c.ended then 'done'")
    assert is_caught(fan, database, (acking(0), acking(1)))


def test_mutant_that_sends_the_callback_after_the_commit_is_caught(fan: Fan, database: Database) -> None:
    plant(fan.db, "perform pgqueue.fire_barrier(v_barrier.generation);", "null;")

    def firing(fan: Fan, generation: int, messages: Sequence[Any]) -> list[Step]:
        fire = "select pgqueue.fire_barrier(generation) from pgqueue.barrier where generation = %s and state = 'done'"
        return [*acking(1)(fan, generation, messages), (fire, (generation,)), ("commit", ())]

    assert is_caught(fan, database, (acking(0), firing))


def is_caught(fan: Fan, database: Database, scripts: tuple[Script, Script]) -> bool:
    return any(not verdict.endswith(": fine") for verdict in verdicts(fan, database, scripts))


def verdicts(
    fan: Fan, database: Database, scripts: tuple[Script, Script], policy: str = "abort"
) -> Iterator[str]:
    """Play every course of two scripts and say of each what came of it."""
    observer = database.connect()
    sessions = [Session(database.connect(autocommit=False)) for _ in scripts]
    first, second = (len(script(fan, 0, [_Nobody()] * 2)) for script in scripts)
    try:
        for course in courses((first, second)):
            generation = fan.arm(2, policy=policy, on_failure=FAILURE)
            messages = fan.read()
            play(course, [script(fan, generation, messages) for script in scripts], sessions, observer)
            errors = {error for session in sessions for error in session.errors} - DEATH
            yield f"{course}: {judge(fan, generation) or ', '.join(sorted(errors)) or 'fine'}"
            for n, session in enumerate(sessions):
                session.errors.clear()
                if course.dies == n:
                    session.end()
                    sessions[n] = Session(database.connect(autocommit=False))
                else:
                    session.connection.rollback()
            clear(fan)
    finally:
        for session in sessions:
            session.end()


def judge(fan: Fan, generation: int) -> str:
    """Say what is wrong, then deliver what is left and look again; nothing is ""."""
    if fan.look(generation).state == "done" and any(one.state == "open" for one in fan.parts(generation)):
        return "done with an open part"
    last = scalar(fan.db, "select max(generation) from pgqueue.barrier")
    fan.db.execute("update pgqueue.r_parts set receipt = null, vt = enqueued_at")  # the leases run out
    while messages := fan.read():
        fan.ack(messages, [1] * len(messages))
    sent = [
        (one.headers["pgqueue-barrier"]["generation"], one.message["task"])
        for one in rows(fan.db, "select headers, message from pgqueue.r_total")
    ]
    for run in {generation, last}:
        ended, tasks = fan.look(run), [task for told, task in sent if told == run]
        if ended.state == "live":
            return f"stranded: {fan.parts(run)}"
        if tasks != {"done": ["sum"], "replaced": []}.get(ended.state, ["mourn"]):
            return f"{ended.state} sent {tasks}"
        if ended.state == "done" and [one.state for one in fan.parts(run)].count("open"):
            return "done with an open part"
        if ended.state == "done" and (ended.open or ended.done + ended.failed != len(fan.parts(run))):
            return "the counts are not those of the parts"
    return ""


def clear(fan: Fan) -> None:
    for table in ("barrier", "barrier_part", "r_total", "d_parts"):
        fan.db.execute(f"delete from pgqueue.{table}".encode())


class _Nobody:
    msg_id = receipt = 0


def plant(db: psycopg.Connection, old: str, new: str) -> None:
    body = scalar(db, "select pg_get_functiondef(oid) from pg_proc where proname = 'end_parts'")
    assert old in body
    db.execute(body.replace(old, new).encode())
