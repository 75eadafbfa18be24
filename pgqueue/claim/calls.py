"""The verbs on claims. Each returns a `Call`; nothing is sent until a runner runs it."""

from __future__ import annotations

from datetime import datetime

from pgqueue.call import Call, Repeat, scalar
from pgqueue.claim import rules
from pgqueue.claim.model import ClaimInfo
from pgqueue.message.rules import Seconds, check_id, check_key, check_qty

LEASE = 60.0
RETENTION = 604_800.0


def try_claim(name: str, key: str, lease: Seconds = LEASE, holder: str | None = None) -> Call[int | None]:
    """Take the exclusive right to a key for `lease` (1 s .. 24 h); return its token, None when it isn't to be had.

    Each token is higher than all before. If the answer is lost, what may have been claimed lapses with its lease.
    Raises: KeyBusy while another open transaction is at the key.
    """
    return Call(
        "claim.try",
        "select pgqueue.try_claim(name => %s, key => %s, lease => make_interval(secs => %s), holder => %s)",
        (*rules.check_names(name, key), rules.check_lease(lease), check_key("holder", holder)),
        scalar,
        repeat=Repeat.IF_ROLLED_BACK,
    )


def renew(name: str, key: str, token: int, lease: Seconds = LEASE) -> Call[datetime]:
    """Keep a claim for another lease; return until when. Raises: ClaimLost."""
    return Call(
        "claim.renew",
        "select pgqueue.renew_claim(name => %s, key => %s, token => %s, lease => make_interval(secs => %s))",
        (*rules.check_names(name, key), check_id("token", token), rules.check_lease(lease)),
        scalar,
        repeat=Repeat.ALWAYS,
    )


def finish(name: str, key: str, token: int, retention: Seconds = RETENTION) -> Call[datetime]:
    """Leave the tombstone: nobody gets the key for `retention`; return until when. Raises: ClaimLost."""
    return Call(
        "claim.finish",
        "select pgqueue.finish_claim(name => %s, key => %s, token => %s, retention => make_interval(secs => %s))",
        (*rules.check_names(name, key), check_id("token", token), rules.check_retention(retention)),
        scalar,
        repeat=Repeat.ALWAYS,
    )


def release(name: str, key: str, token: int) -> Call[bool]:
    """Give a claim back unfinished; False when it was another's or done by then, and nothing was changed."""
    return Call(
        "claim.release",
        "select pgqueue.release_claim(name => %s, key => %s, token => %s)",
        (*rules.check_names(name, key), check_id("token", token)),
        lambda rows: rows[0][0] == "done",
        repeat=Repeat.ALWAYS,
    )


def claims(name: str | None = None, *, qty: int = 100) -> Call[list[ClaimInfo]]:
    """Return claims, the latest first."""
    return Call(
        "claim.list",
        "select name, key, state, token, holder, takeovers, claimed_at, expires_at, done_at from pgqueue.claims "
        "where (%s::text is null or name = %s) order by token desc limit %s",
        (name, name, check_qty(qty)),
        lambda rows: [ClaimInfo._make(row) for row in rows],
        repeat=Repeat.ALWAYS,
    )


def forget(qty: int = 1_000) -> Call[int]:
    """Remove tombstones past their retention and what lapsed a day ago; return how many."""
    return Call(
        "claim.forget",
        "select pgqueue.forget_claims(qty => %s)",
        (check_qty(qty),),
        scalar,
        repeat=Repeat.ALWAYS,
    )
