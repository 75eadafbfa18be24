"""The SQL against the small model: real sessions in every order, with a death of each, end a barrier as the model says.

One statement is one function, as the consumer calls it; of the sessions of a course at most one dies. What is inside of
a statement is the model's to interleave (tests/barrier/test_small_model.py); that it is a model of this SQL is what is
shown here: the same ends, all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest

from tests_integration.barrier import small_model as model
from tests_integration.barrier.fan import FAILURE, Fan, place
from tests_integration.barrier.orders import Course, Session, Step, courses, play
from tests_integration.fixtures.database import Database
from tests_integration.fixtures.verbs import rows

TASKS = {"sum": model.CALLBACK, "mourn": model.FAILURE}
HARMLESS = {"57P01", "lost", "25P02"}  # of a session that was killed
Script = Callable[[Sequence[Any]], list[Step]]
COMMIT: Step = ("commit", ())


def ack(number: int) -> Script:
    def script(messages: Sequence[Any]) -> list[Step]:
        one = messages[number]
        statement = "select * from pgqueue.barrier_ack('parts', %s, %s, %s, %s)"
        generation, part = place(one)
        return [(statement, ([one.msg_id], [one.receipt], [generation], [part])), COMMIT]

    return script


def bury(number: int) -> Script:
    def script(messages: Sequence[Any]) -> list[Step]:
        one = messages[number]
        statement = "select * from pgqueue.barrier_bury('parts', %s, %s, %s, %s, '{x}')"
        generation, part = place(one)
        return [(statement, ([one.msg_id], [one.receipt], [generation], [part])), COMMIT]

    return script


def plain(statement: str) -> Script:
    return lambda _: [(statement, ()), COMMIT]


ABORT = plain("select pgqueue.barrier_abort('b')")
SWEEP = plain("select * from pgqueue.barrier_sweep()")
REPLACE = plain(
    """select pgqueue.barrier_arm('b', '[{"queue": "parts", "message": {"n": 7}}]',
       '{"queue": "total", "message": {"task": "sum"}}', '{"new_generation": true}')"""
)
SCENES: dict[str, tuple[int, tuple[Script, ...], tuple[model.Program, ...], bool]] = {
    "one arrives twice, one once": (
        2, (ack(0), ack(0), ack(1)), (model.ack(0), model.ack(0), model.ack(1)), False,
    ),
    "arrival, failure and abort": (
        2, (ack(0), bury(1), ABORT), (model.ack(0), model.bury(1), model.abort()), False,
    ),
    "arrival and two sweeps": (1, (ack(0), SWEEP, SWEEP), (model.ack(0), model.sweep(), model.sweep()), True),
    "arrival, sweep and a new generation": (
        1, (ack(0), SWEEP, REPLACE), (model.ack(0), model.sweep(), model.replace_it()), True,
    ),
}  # fmt: skip


@pytest.mark.timeout(240)
@pytest.mark.parametrize("scene", SCENES)
def test_sql_ends_a_barrier_in_the_ways_of_the_model_and_in_all_of_them(
    row_fan: Fan, database: Database, scene: str
) -> None:
    parts, scripts, programs, due = SCENES[scene]
    expected, _ = model.ends(parts, *programs, due=due, most_deaths=1)
    observer = database.connect()
    sessions = [Session(database.connect(autocommit=False)) for _ in scripts]
    found: dict[model.End, str] = {}
    try:
        for course in chosen(len(scripts)):
            generation = row_fan.arm(parts, on_failure=FAILURE)
            messages = row_fan.read()
            if due:
                row_fan.db.execute("update pgqueue.barrier set deadline_at = armed_at, check_at = armed_at")
            play(course, [script(messages) for script in scripts], sessions, observer)
            assert {error for session in sessions for error in session.errors} <= HARMLESS, str(course)
            end = recover(row_fan, generation, due=due)
            assert end in expected, f"{course}: {end}"
            found.setdefault(end, str(course))
            renew(sessions, course.dies, database)
            for table in ("barrier", "barrier_part", "r_parts", "r_total", "d_parts"):
                row_fan.db.execute(f"delete from pgqueue.{table}".encode())
    finally:
        for session in sessions:
            session.end()
    assert set(found) == expected


def chosen(actors: int) -> Iterator[Course]:
    """Yield every order without a death, and once more with that of one of them, each in turn."""
    orders: list[tuple[int, ...]] = []
    for course in courses([2] * actors):
        if course.dies is None:
            orders.append(course.order)
        if course.dies in (None, len(orders) % actors):
            yield course


def recover(fan: Fan, generation: int, *, due: bool) -> model.End:
    """Deliver again what is left, sweep what is due, and say how the barrier has ended."""
    fan.db.execute("update pgqueue.r_parts set receipt = null, vt = enqueued_at")  # the leases run out
    left = [message for message in fan.read() if place(message)[0] == generation]
    if left:
        fan.ack(left)
    if due:
        fan.sweep_all()
    sent = tuple(
        TASKS[one.message["task"]]
        for one in rows(fan.db, "select headers, message from pgqueue.r_total order by msg_id")
        if one.headers["pgqueue-barrier"]["generation"] == generation
    )
    return fan.look(generation).state, sent


def renew(sessions: list[Session], dead: int | None, database: Database) -> None:
    for number, session in enumerate(sessions):
        session.errors.clear()
        if number == dead:
            session.end()
            sessions[number] = Session(database.connect(autocommit=False))
        else:
            session.connection.rollback()
