from __future__ import annotations

import psycopg
import pytest
from psycopg import errors as driver

from pgqueue.call import Call, Repeat, nothing
from pgqueue.db import attempt
from pgqueue.db.attempt import REPEAT_PAUSE, Trial, is_usable, statement
from pgqueue.db.liveness import DeadlinePassed
from pgqueue.errors import DatabaseError, InDoubt, Unavailable


class Connection:
    closed = broken = True


DEAD: psycopg.Connection = Connection()  # type: ignore[assignment]
PROVEN = driver.AdminShutdown("terminating connection")
UNPROVEN = psycopg.OperationalError("server closed the connection unexpectedly")
POOLERS = driver.ProtocolViolation("client_idle_timeout")


def trial(repeat: Repeat) -> Trial[None]:
    call = Call("room.verb", "select 1 from f()", (), nothing, repeat=repeat)
    return Trial(call, call.sql, 30)


@pytest.mark.parametrize(
    ("repeat", "error", "repeated", "raised"),
    [
        (Repeat.ALWAYS, PROVEN, True, Unavailable),
        (Repeat.ALWAYS, UNPROVEN, True, Unavailable),
        (Repeat.ALWAYS, POOLERS, True, Unavailable),
        (Repeat.IF_ROLLED_BACK, PROVEN, True, Unavailable),
        (Repeat.IF_ROLLED_BACK, UNPROVEN, False, Unavailable),
        (Repeat.IF_ROLLED_BACK, POOLERS, False, Unavailable),
        (Repeat.NEVER, PROVEN, False, Unavailable),
        (Repeat.NEVER, UNPROVEN, False, InDoubt),
        (Repeat.NEVER, POOLERS, False, InDoubt),
    ],
)
def test_what_may_be_repeated_and_what_is_raised_otherwise(
    repeat: Repeat, error: psycopg.Error, repeated: bool, raised: type[Exception]
) -> None:
    run = trial(repeat)
    assert type(run.failure(error, DEAD, reused=True)) is raised
    assert run.may_repeat is repeated


@pytest.mark.parametrize("error", [PROVEN, UNPROVEN])
def test_a_connection_of_this_call_and_a_second_death_are_never_repeated(error: psycopg.Error) -> None:
    """U25, U28"""
    run = trial(Repeat.ALWAYS)
    run.failure(error, DEAD, reused=False)
    assert not run.may_repeat
    run.repeated = True
    run.failure(error, DEAD, reused=True)
    assert not run.may_repeat


def test_an_error_of_a_living_connection_is_never_repeated() -> None:
    """U27"""
    living = Connection()
    living.closed = living.broken = False
    run = trial(Repeat.ALWAYS)
    failure = run.failure(driver.DeadlockDetected("deadlock"), living, reused=True)  # type: ignore[arg-type]
    assert type(failure) is DatabaseError
    assert not run.may_repeat


@pytest.mark.parametrize(("repeat", "raised"), [(Repeat.NEVER, InDoubt), (Repeat.ALWAYS, Unavailable)])
def test_a_passed_deadline_is_in_doubt_and_never_repeated(repeat: Repeat, raised: type[Exception]) -> None:
    run = trial(repeat)
    failure = run.failure(DeadlinePassed(), DEAD, reused=True)
    assert type(failure) is raised
    assert "no answer within 30 s" in str(failure)
    assert not run.may_repeat


def test_what_is_not_the_databases_passes_through() -> None:
    interrupt = KeyboardInterrupt()
    assert trial(Repeat.ALWAYS).failure(interrupt, DEAD, reused=True) is interrupt


def test_only_a_plain_error_of_the_database_leaves_a_connection_usable() -> None:
    assert is_usable(driver.UniqueViolation("x"))
    assert not is_usable(driver.ReadOnlySqlTransaction("x"))
    assert not is_usable(DeadlinePassed())
    assert not is_usable(KeyboardInterrupt())


def test_the_pause_is_half_a_second() -> None:
    """U29: a literal, not a setting."""
    assert REPEAT_PAUSE == 0.5


def test_commit_is_asynchronous_only_where_call_and_runner_agree() -> None:
    may = Call("room.verb", "select 1 from f()", (), nothing, may_commit_async=True)
    may_not = Call("room.verb", "select 1 from f()", (), nothing)
    assert statement(may, async_commit=True) == may.sql + attempt.ASYNC_COMMIT
    assert statement(may, async_commit=False) == may.sql
    assert statement(may_not, async_commit=True) == may_not.sql
