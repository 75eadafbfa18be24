"""What can't be a lease is refused where it is said, not at each try."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from pgqueue.call import Repeat
from pgqueue.errors import ConfigurationError, InvalidInput
from pgqueue.leadership import calls
from pgqueue.leadership.model import Terms


@pytest.mark.parametrize(
    ("lease", "interval", "named"),
    [
        (10, 10, "interval"),
        (10, 11, "interval"),
        (10, 0, "interval"),
        (10, -1, "interval"),
        (10, float("nan"), "interval"),
        (0, 0.1, "lease"),
        (-5, 1, "lease"),
        (3601, 1, "lease"),
        (float("nan"), 1, "lease"),
        (float("inf"), 1, "lease"),
    ],
)
def test_bad_terms_fail_at_construction(lease: float, interval: float, named: str) -> None:
    """U128"""
    with pytest.raises(ConfigurationError) as caught:
        Terms(lease, interval)
    assert caught.value.fields == {"setting": named}


def test_default_terms_renew_several_times_within_a_lease() -> None:
    assert Terms().interval * 3 < Terms().lease


@pytest.mark.parametrize("holder", ["", " ", "\t\n", "x" * 256, None, 7])
@pytest.mark.parametrize("verb", ["try", "renew", "resign"])
def test_a_blank_or_impossible_holder_is_refused(verb: str, holder: str) -> None:
    """U127: two processes under one blank name would both lead."""
    verbs: dict[str, Callable[[], object]] = {
        "try": lambda: calls.try_lead("reaper", holder),
        "renew": lambda: calls.renew("reaper", holder, 1),
        "resign": lambda: calls.resign("reaper", holder, 1),
    }
    with pytest.raises(InvalidInput, match="holder"):
        verbs[verb]()


def test_a_renewal_is_never_repeated_behind_the_leaders_back() -> None:
    """U127: a leader whose connection is lost steps down; it doesn't find out on a second try that it is leader still."""
    assert calls.renew("reaper", "me", 1).repeat is Repeat.NEVER
    assert calls.try_lead("reaper", "me").repeat is Repeat.ALWAYS
    assert not calls.try_lead("reaper", "me").may_commit_async
