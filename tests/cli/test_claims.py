"""Claims from the command line: who has a key, and who may take it away."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from pgqueue.claim.model import ClaimInfo
from tests.cli.conftest import CallingClient, Run

THEN = datetime(2030, 1, 1, 12, tzinfo=UTC)
RELEASE = ("claims", "release", "orchestrate", "7")


def claim(state: str = "running", **changes: Any) -> ClaimInfo:
    done_at = THEN if state == "done" else None
    plain = ClaimInfo(
        "orchestrate", "7", state, 41, "host:1:a", 2, THEN, THEN + timedelta(minutes=1), done_at
    )
    return plain._replace(**changes)


def released(calling: CallingClient) -> list[Any]:
    return [parameters for name, parameters in calling.asked if name == "claim.release"]


@pytest.mark.parametrize(
    ("state", "told"),
    [
        (
            "running",
            "is held by host:1:a until 2030-01-01 12:01:00Z (token 41, taken 2030-01-01 12:00:00Z, 2 takeovers)",
        ),
        ("lapsed", "has lapsed 2030-01-01 12:01:00Z: host:1:a didn't renew it"),
        ("free", "is free: released 2030-01-01 12:01:00Z"),
        ("done", "was done 2030-01-01 12:00:00Z by host:1:a; nobody gets it before 2030-01-01 12:01:00Z"),
    ],
)
def test_a_claim_is_told_in_words(run: Run, calling: CallingClient, state: str, told: str) -> None:
    calling.answers["claim.show"] = [claim(state)]
    said = run("claims", "show", "orchestrate", "7").out
    assert said.startswith(f"claim 7 of orchestrate {told}")
    assert json.loads(run("claims", "show", "orchestrate", "7", "--json").out)["state"] == state


def test_a_holder_that_gave_no_name_is_somebody(run: Run, calling: CallingClient) -> None:
    calling.answers["claim.show"] = [claim(holder=None)]
    assert "held by somebody who gave no name" in run("claims", "show", "orchestrate", "7").out


def test_the_list_is_filtered_and_paged_by_the_database(run: Run, calling: CallingClient) -> None:
    calling.answers["claim.list"] = [[claim()]]
    run("claims", "list", "--name", "orchestrate", "--state", "lapsed", "--after", "99", "--qty", "5")
    assert calling.asked == [("claim.list", ("orchestrate", "orchestrate", "lapsed", "lapsed", 99, 99, 5))]
    assert json.loads(run("claims", "list", "--json").out)["token"] == 41


@pytest.mark.parametrize(
    ("words", "known", "hint"),
    [
        (("orchestrate", "executoin-7"), claim(key="execution-7"), "Did you mean execution-7?"),
        (("orchestarte", "7"), claim(), "Did you mean orchestrate?"),
    ],
)
def test_what_nobody_has_claimed_is_answered_with_what_is_near(
    run: Run, calling: CallingClient, words: tuple[str, ...], known: ClaimInfo, hint: str
) -> None:
    calling.answers = {"claim.show": [None], "claim.list": [[known]]}
    ended = run("claims", "show", *words)
    assert (ended.code, ended.out) == (1, "")
    assert hint in ended.err


@pytest.mark.parametrize("yes", [(), ("--yes",)])
def test_one_that_runs_is_not_released_without_force(
    run: Run, calling: CallingClient, yes: tuple[str, ...]
) -> None:
    calling.answers["claim.show"] = [claim()]
    ended = run(*RELEASE, *yes)
    assert (ended.code, released(calling)) == (1, [])
    assert "--force releases it all the same; nothing was changed" in ended.err


@pytest.mark.parametrize(("state", "force"), [("lapsed", ()), ("running", ("--force",))])
def test_the_very_claim_that_was_shown_is_released(
    run: Run, calling: CallingClient, state: str, force: tuple[str, ...]
) -> None:
    calling.answers = {"claim.show": [claim(state), claim("free")], "claim.release": [True]}
    assert run(*RELEASE, *force).code == 2, "nobody can be asked"
    assert released(calling) == []
    calling.answers["claim.show"] = [claim(state), claim("free")]
    ended = run(*RELEASE, *force, "--yes")
    assert (ended.code, ended.out) == (0, "claim 7 of orchestrate is released\n")
    assert released(calling) == [("orchestrate", "7", 41)]


@pytest.mark.parametrize(("typed", "code", "calls"), [(b"y\n", 0, 1), (b"n\n", 1, 0), (b"\n", 1, 0)])
def test_somebody_is_asked(
    run: Run, calling: CallingClient, somebody_sits_there: None, typed: bytes, code: int, calls: int
) -> None:
    calling.answers = {"claim.show": [claim("lapsed"), claim("free")], "claim.release": [True]}
    ended = run(*RELEASE, stdin=typed)
    assert (ended.code, len(released(calling))) == (code, calls)
    assert "has lapsed" in ended.err


def test_one_that_another_took_meanwhile_stays(run: Run, calling: CallingClient) -> None:
    taken = claim("running", token=42, holder="other")
    calling.answers = {"claim.show": [claim("lapsed"), taken], "claim.release": [False]}
    ended = run(*RELEASE, "--yes")
    assert ended.code == 1
    assert ended.out.startswith("nothing was released: claim 7 of orchestrate is held by other")


@pytest.mark.parametrize(("state", "code"), [("done", 1), ("free", 0)])
def test_what_nobody_holds_is_left_as_it_is(run: Run, calling: CallingClient, state: str, code: int) -> None:
    calling.answers["claim.show"] = [claim(state)]
    ended = run(*RELEASE, "--force", "--yes", "--json")
    assert ended.code == code
    assert json.loads(ended.out) == {"name": "orchestrate", "key": "7", "released": False, "state": state}
    assert released(calling) == []
