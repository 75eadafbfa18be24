"""Asynchronous commit: for the calls that allow it, in their own transaction, and nowhere else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import psycopg
import pytest

from pgqueue.call import Call, column
from pgqueue.db.runner import ConnectionRunner
from pgqueue.message import calls
from tests_integration.db.faults import OpenRunner
from tests_integration.fixtures.door import Door

PROBE = """
    create table seen (mode text);
    create function probe() returns setof text language plpgsql as $$
    begin
        insert into seen values (current_setting('synchronous_commit'));
        return query select current_setting('synchronous_commit');
    end $$;
    create function insist() returns setof text language plpgsql as $$
    begin
        perform set_config('synchronous_commit', 'on', true);
        return;
    end $$;
"""


def probe(*, may_commit_async: bool) -> Call[list[Any]]:
    return Call("test.probe", "select * from probe()", (), column, may_commit_async=may_commit_async)


@pytest.fixture
def seen(db: psycopg.Connection) -> Callable[[], list[str]]:
    db.execute(PROBE)
    return lambda: [mode for (mode,) in db.execute("select mode from seen").fetchall()]


def test_a_call_that_may_commits_asynchronously_and_the_next_one_on_that_connection_does_not(
    door: Door, seen: Callable[[], list[str]], open_runner: OpenRunner
) -> None:
    runner = open_runner(door.conninfo, max_connections=1)
    assert runner.run(probe(may_commit_async=True)) == ["off"]
    assert runner.run(probe(may_commit_async=False)) == ["on"]
    assert seen() == ["off", "on"]


def test_the_mode_is_set_before_the_verb_runs_so_that_the_verb_can_insist(
    door: Door, db: psycopg.Connection, seen: Callable[[], list[str]], open_runner: OpenRunner
) -> None:
    db.execute(
        "create function after_insisting() returns setof text language plpgsql as $$"
        " begin perform insist(); return query select current_setting('synchronous_commit'); end $$"
    )
    call = Call("test.insist", "select * from after_insisting()", (), column, may_commit_async=True)
    assert open_runner(door.conninfo).run(call) == ["on"]


def test_a_verb_that_returns_no_row_is_executed_too(
    door: Door, db: psycopg.Connection, seen: Callable[[], list[str]], open_runner: OpenRunner
) -> None:
    db.execute(
        "create function silent() returns setof text language plpgsql as $$"
        " begin insert into seen values (current_setting('synchronous_commit')); return; end $$"
    )
    call = Call("test.silent", "select * from silent()", (), column, may_commit_async=True)
    assert open_runner(door.conninfo).run(call) == []
    assert seen() == ["off"]


def test_a_runner_can_be_told_to_commit_synchronously(
    door: Door, seen: Callable[[], list[str]], open_runner: OpenRunner
) -> None:
    open_runner(door.conninfo, async_commit=False).run(probe(may_commit_async=True))
    assert seen() == ["on"]


def test_a_transaction_of_the_caller_is_never_made_asynchronous(
    door: Door, seen: Callable[[], list[str]]
) -> None:
    caller = door.connect(autocommit=False)
    ConnectionRunner(caller).run(probe(may_commit_async=True))
    caller.commit()
    assert seen() == ["on"]


@pytest.mark.parametrize(
    "call",
    [
        calls.read("orders"),
        calls.set_vt("orders", 1, 30, 1),
        calls.set_vt_batch("orders", [1], 30, [1]),
        calls.delete("orders", 1, 1),
        calls.delete_batch("orders", [1], [1]),
    ],
    ids=lambda call: call.name,
)
def test_each_call_that_may_commit_asynchronously_runs_in_that_form(
    call: Call[Any], door: Door, db: psycopg.Connection, open_runner: OpenRunner
) -> None:
    assert call.may_commit_async
    open_runner(door.conninfo).run(call)
