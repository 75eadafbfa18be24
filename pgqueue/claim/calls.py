"""The verbs on claims. Each returns a `Call`; nothing is sent until a runner runs it."""

from __future__ import annotations

from datetime import datetime

from pgqueue.call import Call, Repeat, scalar
from pgqueue.claim import rules
from pgqueue.claim.model import ClaimInfo
from pgqueue.message.rules import Seconds, check_id, check_key, check_qty

LEASE = 60.0
RETENTION = 604_800.0

_INFO = "name, key, state, token, holder, takeovers, claimed_at, expires_at, done_at"


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


def wait(name: str, key: str) -> Call[float | None]:
    """Ask, after a claim was not to be had, how many seconds its lease has left; None when it is done."""
    return Call(
        "claim.wait",
        "select extract(epoch from pgqueue.claim_wait(name => %s, key => %s))::double precision",
        rules.check_names(name, key),
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


def claims(
    name: str | None = None, *, state: str | None = None, before: int | None = None, qty: int = 100
) -> Call[list[ClaimInfo]]:
    """Return claims, the latest first; page on with the last token as `before`."""
    wanted, newer = check_key("name", name), None if before is None else check_id("before", before)
    return Call(
        "claim.list",
        f"select {_INFO} from pgqueue.claims where (%s::text is null or name = %s) and (%s::text is null or state = %s) "
        "and (%s::bigint is null or token < %s) order by token desc limit %s",
        (wanted, wanted, state, state, newer, newer, check_qty(qty)),
        lambda rows: [ClaimInfo._make(row) for row in rows],
        repeat=Repeat.ALWAYS,
    )


def claim(name: str, key: str) -> Call[ClaimInfo | None]:
    """Return who has a key, or that it is done; None where it was never claimed, or is forgotten."""
    return Call(
        "claim.show",
        f"select {_INFO} from pgqueue.claims where name = %s and key = %s",
        rules.check_names(name, key),
        lambda rows: ClaimInfo._make(rows[0]) if rows else None,
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
