"""Claims: one owner at a time, a token that only rises, a tombstone that refuses."""

from __future__ import annotations

from datetime import timedelta
from functools import partial

import pytest

from tests_integration.claim.conftest import Claims
from tests_integration.fixtures.clock import START, Clock
from tests_integration.fixtures.database import Database
from tests_integration.fixtures.verbs import Background, at_once, refused, scalar
from tests_integration.fixtures.waiting import wait_until_blocked


def test_key_has_one_owner_at_a_time(claims: Claims, other: Claims, clock: Clock) -> None:
    """U116"""
    token = claims.take(holder="me")
    assert token > 0
    assert other.take() is None
    assert other.take(key="8") > token
    assert other.take(name="else") > token
    seen = claims.look()
    assert (seen.state, seen.token, seen.holder, seen.takeovers) == ("running", token, "me", 0)
    assert seen.expires_at == START + timedelta(seconds=60)


def test_of_eight_that_claim_at_once_one_wins(claims: Claims, database: Database) -> None:
    """U117"""
    others = [Claims(database.connect()) for _ in range(8)]
    for n in range(30):
        tokens = at_once(*(partial(me.take, "60 s", f"k{n}") for me in others))
        assert sum(token is not None for token in tokens) == 1


def test_of_eight_that_take_a_lapsed_claim_over_at_once_one_wins(
    claims: Claims, database: Database, clock: Clock
) -> None:
    others = [Claims(database.connect()) for _ in range(8)]
    first = claims.take("1 s")
    for n in range(20):
        clock.advance(2)
        tokens = [
            token for token in at_once(*(partial(me.take, "1 s") for me in others)) if token is not None
        ]
        assert len(tokens) == 1
        assert tokens[0] > first
        first = tokens[0]
        assert claims.look().takeovers == n + 1


def test_lapsed_claim_is_taken_over_and_the_old_holder_refused_loudly(
    claims: Claims, other: Claims, clock: Clock
) -> None:
    """F51"""
    old = claims.take("10 s", holder="old")
    clock.advance(9.9)
    assert other.take() is None
    clock.advance(0.1)
    assert claims.look().state == "lapsed"
    new = other.take(holder="new")
    assert new > old
    for act in (claims.finish, claims.renew):
        error = refused("PQ013", lambda act=act: act(old))  # type: ignore[misc]
        assert f"token {new}" in (error.diag.message_detail or "")
        assert error.diag.message_hint
    assert claims.release(old) == "stale"
    assert claims.look().token == new


def test_refusal_rolls_back_what_was_done_under_the_claim(
    claims: Claims, other: Claims, clock: Clock
) -> None:
    claims.db.execute("create table effect (n int)")
    old = claims.take("1 s")
    clock.advance(2)
    other.take()

    def work() -> None:
        with claims.db.transaction():
            claims.db.execute("insert into effect values (1)")
            claims.finish(old)

    refused("PQ013", work)
    assert scalar(claims.db, "select count(*) from effect") == 0


def test_lapsed_claim_that_nobody_took_over_is_still_good(claims: Claims, clock: Clock) -> None:
    token = claims.take("1 s")
    clock.advance(100)
    assert claims.renew(token) == START + timedelta(seconds=160)
    clock.advance(100)
    assert claims.finish(token) == START + timedelta(days=1, seconds=200)


def test_renewed_claim_is_kept(claims: Claims, other: Claims, clock: Clock) -> None:
    token = claims.take("10 s")
    for _ in range(5):
        clock.advance(9)
        claims.renew(token, "10 s")
    assert other.take() is None
    assert claims.look().takeovers == 0


def test_tombstone_refuses_until_its_retention_is_over(claims: Claims, other: Claims, clock: Clock) -> None:
    """F52, U118"""
    token = claims.take()
    assert claims.finish(token, "1 hour") == START + timedelta(hours=1)
    clock.advance(3599)
    assert (other.take(), claims.look().state) == (None, "done")
    clock.advance(1)
    assert other.take() > token
    assert (claims.look().state, claims.look().done_at, claims.look().takeovers) == ("running", None, 0)


def test_finishing_again_is_harmless_and_moves_nothing(claims: Claims, clock: Clock) -> None:
    token = claims.take()
    until = claims.finish(token)
    clock.advance(50)
    assert claims.finish(token) == until
    assert claims.look().done_at == START
    refused("PQ013", lambda: claims.renew(token))
    assert claims.release(token) == "stale"
    assert claims.look().state == "done"


def test_released_claim_is_free_at_once_and_its_token_is_not_drawn_again(
    claims: Claims, other: Claims, clock: Clock
) -> None:
    """U119"""
    token = claims.take()
    assert claims.release(token) == "done"
    assert claims.release(token) == "done"
    assert claims.look().state == "free"
    refused("PQ013", lambda: claims.finish(token))
    new = other.take()
    assert new > token
    assert claims.release(token) == "stale"
    assert (claims.look().token, claims.look().takeovers) == (new, 0)


def test_claim_that_was_never_made_is_gone(claims: Claims) -> None:
    assert claims.release(1) == "gone"
    error = refused("PQ013", lambda: claims.finish(1))
    assert "nobody" in (error.diag.message_detail or "")


def test_token_rises_also_for_who_waited_while_others_came_and_went(
    claims: Claims, other: Claims, database: Database
) -> None:
    """A token is drawn under the key's lock: who began earlier and gets the key later has the higher one."""
    third = Claims(database.connect())
    claims.release(claims.take())
    claims.db.execute("begin")
    first = claims.take()
    waiting = Background(other.take)
    wait_until_blocked(third.db, other.db.info.backend_pid)
    claims.release(first)
    again = claims.take()
    claims.release(again)
    claims.db.execute("commit")
    assert waiting.result() > again > first


def test_claim_of_an_open_transaction_is_not_waited_for_longer_than_five_seconds(
    claims: Claims, other: Claims
) -> None:
    """The time-out is the function's own; the test shortens it, and finds the shipped one in the catalogue."""
    config = scalar(claims.db, "select proconfig from pg_proc where proname = 'try_claim'")
    assert "lock_timeout=5s" in config
    claims.db.execute(
        "alter function pgqueue.try_claim(text, text, interval, text) set lock_timeout = '50ms'"
    )
    with claims.db.transaction():
        claims.take()
        refused("PQ006", other.take)
    assert other.take() is None


def test_old_tombstones_and_lapsed_claims_are_forgotten(claims: Claims, clock: Clock) -> None:
    done, lapsed, free, kept = (claims.take("60 s", key) for key in ("done", "lapsed", "free", "kept"))
    claims.finish(done, "1 hour", "done")
    claims.release(free, "free")
    claims.finish(kept, "3 days", "kept")
    assert lapsed
    assert claims.forget() == 0
    clock.advance(3600)
    assert claims.forget() == 1
    clock.advance(86_400)
    assert [claims.forget(1) for _ in range(3)] == [1, 1, 0]
    assert [claims.look(key) is None for key in ("done", "lapsed", "free", "kept")] == [
        True,
        True,
        True,
        False,
    ]


def test_claim_that_is_being_taken_over_is_not_forgotten(claims: Claims, other: Claims, clock: Clock) -> None:
    claims.take("1 s")
    clock.advance(90_000)
    with claims.db.transaction():
        token = claims.take()
        assert other.forget() == 0
    assert other.forget() == 0
    assert claims.look().token == token


BAD_NAMES: list[dict[str, str | None]] = [
    {"key": ""},
    {"key": None},
    {"key": "x" * 256},
    {"name": ""},
    {"name": None},
]


@pytest.mark.parametrize(
    "bad", [*BAD_NAMES, *({"lease": lease} for lease in ("0", "-5 s", "0.9 s", "25 h", "infinity"))]
)
def test_bad_arguments_are_refused(claims: Claims, bad: dict[str, str | None]) -> None:
    """B15"""
    error = refused("PQ002", lambda: claims.take(**bad))  # type: ignore[arg-type]
    assert error.diag.message_hint
    assert scalar(claims.db, "select count(*) from pgqueue.claim") == 0


@pytest.mark.parametrize("qty", [None, 0, -1, 10_001])
def test_bad_qty_is_refused(claims: Claims, qty: int) -> None:
    """B14: nothing is removed by mistake."""
    refused("PQ002", lambda: claims.forget(qty))
    refused("PQ002", lambda: scalar(claims.db, "select pgqueue.barrier_forget(%s)", qty))
    refused("PQ002", lambda: claims.db.execute("select pgqueue.barrier_missing('b', qty => %s)", [qty]))
    refused("PQ002", lambda: claims.db.execute("select pgqueue.barrier_results('b', 1, qty => %s)", [qty]))


@pytest.mark.parametrize("retention", ["0", "-1 s", "infinity", None])
def test_bad_retention_is_refused(claims: Claims, retention: str) -> None:
    token = claims.take()
    refused("PQ002", lambda: claims.finish(token, retention))
    assert claims.look().state == "running"
