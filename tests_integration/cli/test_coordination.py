"""Barriers and claims from the command line: what is printed is what is in the tables."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from pgqueue import PgQueue, barrier, claim
from pgqueue.barrier import Options, Part, Policy, settle
from pgqueue.barrier.rules import part_of, result_text
from pgqueue.claim import calls as claim_calls
from pgqueue.errors import ClaimLost
from pgqueue.message.model import Message
from tests_integration.cli.conftest import Pgqueue, one_line
from tests_integration.fixtures.clock import Clock
from tests_integration.fixtures.database import Database


@pytest.fixture
def client(database: Database) -> Iterator[PgQueue]:
    with PgQueue(database.conninfo) as made:
        made.create_queue("pages")
        made.create_queue("total")
        yield made


def arm(client: PgQueue, key: str, parts: int = 3, **options: Any) -> int:
    generation: int = barrier.arm(
        client, key, [Part("pages", n) for n in range(parts)], Part("total", {}), Options(**options)
    )
    return generation


def end(client: PgQueue, message: Message, result: object) -> None:
    part = part_of(message.headers)
    assert part is not None
    client.run(settle.ack_part("pages", message.msg_id, message.receipt, part, result_text(result)))


def lines(printed: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in printed.splitlines()]


def test_a_stuck_barrier_says_who_has_its_parts(pgqueue: Pgqueue, client: PgQueue) -> None:
    generation = arm(client, "export-7")
    first, _held = client.read("pages", qty=2, holder="host:4711:x")
    end(client, first, {"pages": 3})
    said = pgqueue("barriers", "show", "export-7").stdout
    assert f"barrier export-7, generation {generation}, is live: 1/3 (33 %) parts have ended" in said
    assert "host:4711:x" in said
    assert "1 wait in pages" in said
    (shown,) = lines(pgqueue("barriers", "show", "export-7", "--json").stdout)
    assert [(one["part"], one["state"], one["holder"]) for one in shown["missing"]] == [
        (1, "in_flight", "host:4711:x"),
        (2, "ready", None),
    ]
    found = lines(pgqueue("barriers", "results", "export-7", "--json").stdout)
    assert [(one["part"], one["state"], one["result"]) for one in found] == [
        (0, "done", {"pages": 3}),
        (1, "open", None),
        (2, "open", None),
    ]
    assert [
        one["part"]
        for one in lines(pgqueue("barriers", "results", "export-7", "--after", "1", "--json").stdout)
    ] == [2]


def test_a_dead_part_is_shown_before_the_sweep_has_found_it(pgqueue: Pgqueue, client: PgQueue) -> None:
    arm(client, "export-7", policy=Policy.COLLECT)
    client.bury("pages", client.read("pages")[0].msg_id, "broken", "why")
    said = pgqueue("barriers", "show", "export-7").stdout
    assert "dead letter" in said
    assert "broken: why" in said
    assert "pgqueue dead redrive pages 1" in said


def test_runs_are_listed_by_state_and_page_by_page(pgqueue: Pgqueue, client: PgQueue) -> None:
    first, second, third = (arm(client, key) for key in ("a", "b", "c"))
    barrier.abort(client, "b")

    def generations(*words: str) -> list[int]:
        return [row["generation"] for row in lines(pgqueue("barriers", "list", "--json", *words).stdout)]

    assert generations() == [third, second, first]
    assert generations("--state", "live") == [third, first]
    assert generations("--qty", "1") == [third]
    assert generations("--after", str(third)) == [second, first]
    assert generations("--key", "b", "--state", "aborted") == [second]
    assert pgqueue("barriers", "list", "--key", "d").stdout == "no such barriers\n"


def test_an_abort_keeps_its_reason_and_comes_too_late_for_what_is_over(
    pgqueue: Pgqueue, client: PgQueue, db: psycopg.Connection
) -> None:
    generation = arm(client, "export-7")
    one_line(pgqueue("barriers", "abort", "export-7", "--reason", "x"), 2, "needs --yes")
    words = ("barriers", "abort", "export-7", "--reason", "the customer has left", "--yes")
    assert pgqueue(*words).stdout == f"barrier export-7, generation {generation}, is aborted\n"
    assert db.execute("select state, reason from pgqueue.barriers").fetchall() == [
        ("aborted", "the customer has left")
    ]
    again = pgqueue(*words, "--json")
    assert (again.returncode, json.loads(again.stdout)["outcome"]) == (0, "ended")
    arm(client, "done", 0, fire_empty=True)
    late = pgqueue("barriers", "abort", "done", "--reason", "x", "--yes")
    assert (late.returncode, late.stderr) == (1, "")
    assert "was over before: done; nothing was changed" in late.stdout


@pytest.mark.parametrize("verb", ["show", "results", "abort"])
def test_a_misspelt_barrier_is_answered_with_the_right_one(
    pgqueue: Pgqueue, client: PgQueue, verb: str
) -> None:
    arm(client, "export-7")
    reason = ("--reason", "x", "--yes") if verb == "abort" else ()
    one_line(pgqueue("barriers", verb, "exprot-7", *reason), 1, "Did you mean export-7?")
    one_line(pgqueue("barriers", verb, "export-7", "--generation", "99", *reason), 1, "no generation 99")


def test_a_claim_is_shown_while_it_runs_and_when_it_is_done(pgqueue: Pgqueue, client: PgQueue) -> None:
    token = client.run(claim_calls.try_claim("orchestrate", "7", holder="host:4711:x"))
    assert "is held by host:4711:x until" in pgqueue("claims", "show", "orchestrate", "7").stdout
    assert claim.once(client, "orchestrate", "8", lambda: None) is None
    found = lines(pgqueue("claims", "list", "--json").stdout)
    assert [(row["key"], row["state"]) for row in found] == [("8", "done"), ("7", "running")]
    assert [row["key"] for row in lines(pgqueue("claims", "list", "--state", "done", "--json").stdout)] == [
        "8"
    ]
    after = pgqueue("claims", "list", "--after", str(found[0]["token"]), "--json").stdout
    assert [row["token"] for row in lines(after)] == [token]
    one_line(pgqueue("claims", "show", "orchestrate", "77"), 1, "Did you mean 7")


def test_a_claim_that_runs_is_released_only_with_force_and_its_holder_is_refused(
    pgqueue: Pgqueue, client: PgQueue, db: psycopg.Connection
) -> None:
    token = client.run(claim_calls.try_claim("orchestrate", "7"))
    assert token is not None
    one_line(pgqueue("claims", "release", "orchestrate", "7", "--yes"), 1, "--force")
    assert client.run(claim_calls.try_claim("orchestrate", "7")) is None
    words = ("claims", "release", "orchestrate", "7", "--force", "--yes")
    assert pgqueue(*words).stdout == "claim 7 of orchestrate is released\n"
    second = client.run(claim_calls.try_claim("orchestrate", "7"))
    assert second is not None
    assert second > token
    with pytest.raises(ClaimLost):
        client.run(claim_calls.finish("orchestrate", "7", token))


def test_a_lapsed_claim_is_released_and_a_tombstone_stays(
    database: Database, clock: Clock, pgqueue: Pgqueue, client: PgQueue
) -> None:
    assert client.run(claim_calls.try_claim("orchestrate", "7", lease=5)) is not None
    clock.advance(6)
    assert "has lapsed" in pgqueue("claims", "show", "orchestrate", "7").stdout
    assert pgqueue("claims", "release", "orchestrate", "7", "--yes").returncode == 0
    assert claim.once(client, "orchestrate", "7", lambda: None) is None
    ended = pgqueue("claims", "release", "orchestrate", "7", "--force", "--yes")
    assert ended.returncode == 1
    assert "was done" in ended.stdout
    assert claim.once(client, "orchestrate", "7", lambda: None) == claim.SKIPPED_DUPLICATE
