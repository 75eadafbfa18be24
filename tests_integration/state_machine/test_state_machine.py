"""The SQL surface does what the model says, whatever the order of the steps."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import timedelta

import psycopg
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.database import DirectoryBasedExampleDatabase
from hypothesis.stateful import run_state_machine_as_test

from tests_integration.fixtures.clock import Clock
from tests_integration.fixtures.database import Database
from tests_integration.fixtures.verbs import KINDS, Kind
from tests_integration.state_machine.engine import SqlEngine
from tests_integration.state_machine.machine import QueueMachine

NIGHTLY = os.environ.get("PGQUEUE_NIGHTLY") == "1"
COMMON = settings(
    deadline=None, stateful_step_count=40, suppress_health_check=list(HealthCheck), print_blob=True
)
EVERY_RUN = settings(COMMON, derandomize=True, database=None, max_examples=120)
EVERY_NIGHT = settings(
    COMMON,
    derandomize=False,
    database=DirectoryBasedExampleDatabase(".hypothesis/nightly"),
    max_examples=5000,
)
HUNT = settings(
    COMMON,
    derandomize=True,
    database=None,
    max_examples=100,
    phases=[Phase.generate],
    report_multiple_bugs=False,
)

FOUND_BY_A_WALK = {
    "read does not raise vt": ("read", "set vt = v_until, read_ct", "set read_ct"),
    "read claims without counting": ("read", "read_ct = r.read_ct + 1, receipt", "receipt"),
    "read takes the youngest first": (
        "read",
        "order by r.vt, (r.msg_id + 0)\n",
        "order by r.vt, (r.msg_id + 0) desc\n",
    ),
    "delete ignores the receipt": ("delete", "(v_receipt is null or r.receipt = v_receipt)", "true"),
    "release counts as a read": ("release_batch", ", release_ct = r.release_ct + 1", ""),
}
FOUND_BY_A_SCRIPT = {
    "read hands out a group's second": (
        "read",
        "h.group_key = r.group_key and (h.msg_id + 0) < r.msg_id",
        "false",
    ),
    "read buries nobody past the cap": ("read", "c.read_ct - c.release_ct > c_hard_cap", "false"),
    "retry leaves the receipt": ("retry_batch", ", receipt = null,", ","),
    "redrive forgets that it was done": (
        "redrive",
        "set redriven_as = p.new_id, redriven_at",
        "set redriven_at",
    ),
    "a key never expires": (
        "claim_keys",
        "msg_id = case when k.expires_at <= v_now then",
        "msg_id = case when false then",
    ),
}
FOUND_IN_A_LOG = {
    "a claim has no lease": ("read", "v_got, v_until, v_receipt", "v_got, v_now, v_receipt"),
    "delete believes any receipt": (
        "delete",
        "v_proven boolean := v_receipt is null",
        "v_proven boolean := true",
    ),
    "what a reader lost never comes back": ("sweep", "<> 'read committed'", "is not null"),
    "an expired claim comes back as unread": ("lapse", "g.claimed::integer", "0"),
    "set aside without its lease": ("adopt", "c.read_at, c.receipt, (c.lo", "c.read_at, null, (c.lo"),
    "the cursor stands still": (
        "take",
        "v_next := setval('pgqueue.u_template_log', v_ids[cardinality(v_ids)])",
        "v_next := 0",
    ),
}
DAY, NOW, MINUTE = timedelta(days=1), timedelta(), timedelta(minutes=1)
WORSE = {"delay": NOW, "error": "boom", "reason": "bad", "vt": MINUTE}


@pytest.mark.slow
@pytest.mark.timeout(36000 if NIGHTLY else 180)
@pytest.mark.parametrize("kind", KINDS)
def test_every_walk_gives_what_the_model_gives(database: Database, clock: Clock, kind: Kind) -> None:
    walk(database, clock, EVERY_NIGHT if NIGHTLY else EVERY_RUN, kind)


@pytest.mark.parametrize("mutant", FOUND_BY_A_WALK)
@pytest.mark.timeout(120)
def test_walks_find_a_planted_fault(database: Database, clock: Clock, mutant: str) -> None:
    plant(database, *FOUND_BY_A_WALK[mutant])
    with pytest.raises(AssertionError):
        walk(database, clock, HUNT)


@pytest.mark.parametrize("kind", KINDS)
def test_script_gives_what_the_model_gives(database: Database, clock: Clock, kind: Kind) -> None:
    follow_the_script(QueueMachine(SqlEngine(database.connect(), kind), clock))


@pytest.mark.parametrize("mutant", FOUND_BY_A_SCRIPT)
def test_script_finds_a_planted_fault(database: Database, clock: Clock, mutant: str) -> None:
    plant(database, *FOUND_BY_A_SCRIPT[mutant])
    with pytest.raises(AssertionError):
        follow_the_script(QueueMachine(SqlEngine(database.connect()), clock))


@pytest.mark.parametrize("mutant", FOUND_IN_A_LOG)
@pytest.mark.timeout(120)
def test_walks_over_a_log_find_a_planted_fault(database: Database, clock: Clock, mutant: str) -> None:
    plant(database, *FOUND_IN_A_LOG[mutant], template="log")
    with pytest.raises((AssertionError, psycopg.Error)):
        walk(database, clock, HUNT, "log")


def walk(database: Database, clock: Clock, how: settings, kind: Kind = "row") -> None:
    engine = SqlEngine(database.connect(), kind)

    class HereMachine(QueueMachine):
        def __init__(self) -> None:
            super().__init__(engine, clock)

    run_state_machine_as_test(HereMachine, settings=how)


def follow_the_script(machine: QueueMachine) -> None:
    """Walk where random walks come late: groups, keys over their window, the hard cap, a second redrive."""
    group = "g1" if machine.engine.kind == "row" else None
    machine.start_with_two_queues([({"n": 1}, None, None)])
    steps: list[Callable[[], object]] = [
        lambda: machine.send("alpha", {"n": 2}, NOW, "k1", group, 0),
        lambda: machine.send("alpha", {"n": 3}, NOW, "k1", group, 0),
        lambda: machine.send("alpha", {"n": 4}, NOW, None, group, 0),
        lambda: machine.read("alpha", MINUTE, 100, None, "w1"),
        lambda: machine.settle("alpha", "retry", 0, "current", WORSE),
        lambda: machine.settle("alpha", "delete", 0, "old", WORSE),
        *(lambda: machine.move_clock(DAY), lambda: machine.read("alpha", MINUTE, 100, None, "w2")) * 2,
        lambda: machine.redrive("alpha", None),
        lambda: machine.redrive("alpha", None),
        lambda: machine.send("alpha", {"n": 5}, NOW, "k1", None, 0),
    ]
    for step in steps:
        step()
        machine.engine_and_model_hold_the_same()
        machine.every_message_is_in_one_place_with_a_cause()
    assert machine.model.queues["alpha"].dead, "the script reached no hard cap"


def plant(database: Database, verb: str, right: str, wrong: str, template: str = "queue") -> None:
    """Change the template of a verb; the queues that are made from it inherit the fault."""
    with database.connect() as connection:
        row = connection.execute(
            "select pg_get_functiondef(p.oid) from pg_proc p where p.proname = %s",
            [f"{verb}__template_{template}"],
        ).fetchone()
        assert row is not None
        assert right in row[0], f"{verb} holds no such text any more: {right}"
        connection.execute(row[0].replace(right, wrong))
