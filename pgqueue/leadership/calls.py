"""The verbs on leases. Each returns a `Call`; nothing is sent until a runner runs it."""

from __future__ import annotations

from pgqueue.call import Call, Repeat, scalar
from pgqueue.leadership.model import Bid, LeaderInfo, Terms
from pgqueue.leadership.rules import check_holder
from pgqueue.message.rules import check_id

DEFAULT = Terms()


def try_lead(name: str, holder: str, terms: Terms = DEFAULT) -> Call[Bid]:
    """Take the lease when nobody has it or when it has lapsed; whoever has it already gets a new token.

    `holder` must be of this process alone. Raises: InvalidInput for a blank one.
    """
    return Call(
        "leadership.try",
        "select token, extract(epoch from lapses_in)::float8 "
        "from pgqueue.try_lead(name => %s, holder => %s, lease => make_interval(secs => %s))",
        (*check_holder(name, holder), terms.lease),
        lambda rows: Bid(*rows[0]),
        repeat=Repeat.ALWAYS,
    )


def renew(name: str, holder: str, token: int, terms: Terms = DEFAULT) -> Call[bool]:
    """Keep the lease; False when it was lost.

    Never repeated: a leader that has lost its connection steps down.
    """
    return Call(
        "leadership.renew",
        "select pgqueue.renew_lead(name => %s, holder => %s, token => %s, lease => make_interval(secs => %s))",
        (*check_holder(name, holder), check_id("token", token), terms.lease),
        scalar,
    )


def resign(name: str, holder: str, token: int) -> Call[bool]:
    """Give the lease back; False when it was another's by then, and nothing was changed."""
    return Call(
        "leadership.resign",
        "select pgqueue.resign_lead(name => %s, holder => %s, token => %s)",
        (*check_holder(name, holder), check_id("token", token)),
        scalar,
        repeat=Repeat.ALWAYS,
    )


def leaders() -> Call[list[LeaderInfo]]:
    """Return who leads what."""
    return Call(
        "leadership.list",
        "select name, state, holder, token, elected_at, renewed_at, expires_at from pgqueue.leaders order by name",
        (),
        lambda rows: [LeaderInfo._make(row) for row in rows],
        repeat=Repeat.ALWAYS,
    )
