from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from pgqueue.call import Call
from pgqueue.claim import SKIPPED_DUPLICATE, SKIPPED_TERMINAL, Terms, once, once_async
from pgqueue.errors import ClaimHeld, ClaimLost, Unavailable


class Target:
    """Answers calls by name and notes them."""

    def __init__(self, **answers: Any) -> None:
        self.answers = {"claim.try": 7, "claim.finish": None, "claim.release": True} | {
            name.replace("_", "."): answer for name, answer in answers.items()
        }
        self.seen: list[str] = []

    def run(self, call: Call[Any]) -> Any:
        self.seen.append(call.name.removeprefix("claim."))
        answer = self.answers[call.name]
        if isinstance(answer, Exception):
            raise answer
        return answer


class AsyncTarget(Target):
    async def run(self, call: Call[Any]) -> Any:
        return super().run(call)


def fail() -> str:
    raise ZeroDivisionError


@pytest.fixture(params=["sync", "async"])
def do(request: pytest.FixtureRequest) -> Callable[..., Any]:
    """Run either twin with plain functions."""

    async def awaited(target: Target, work: Callable[[], Any], **more: Any) -> Any:
        if request.param == "sync":
            return once(target, "name", "key", work, **more)
        inner = AsyncTarget()
        inner.answers, inner.seen = target.answers, target.seen

        async def work_async() -> Any:
            return work()

        if (finished := more.pop("finished", None)) is not None:

            async def finished_async() -> bool:
                return bool(finished())

            more["finished"] = finished_async
        return await once_async(inner, "name", "key", work_async, **more)

    return awaited


async def test_won_claim_works_and_leaves_the_tombstone(do: Callable[..., Any]) -> None:
    target = Target()
    assert await do(target, lambda: "done") == "done"
    assert target.seen == ["try", "finish"]


async def test_what_is_done_is_skipped(do: Callable[..., Any]) -> None:
    target = Target(claim_try=None, claim_wait=None)
    assert await do(target, fail) == SKIPPED_DUPLICATE
    assert target.seen == ["try", "wait"]


@pytest.mark.parametrize("seconds", [0.0, 12.5])
async def test_what_another_one_is_at_is_not_skipped_but_said(do: Callable[..., Any], seconds: float) -> None:
    """Its holder may have died: an ack now would leave the work to nobody (F51)."""
    target = Target(claim_try=None, claim_wait=seconds)
    with pytest.raises(ClaimHeld) as caught:
        await do(target, fail)
    assert caught.value.seconds == seconds
    assert target.seen == ["try", "wait"]


async def test_finished_elsewhere_keeps_the_tombstone_without_work(do: Callable[..., Any]) -> None:
    target = Target()
    assert await do(target, fail, finished=lambda: True) == SKIPPED_TERMINAL
    assert target.seen == ["try", "finish"]


@pytest.mark.parametrize("where", ["work", "hook"])
async def test_failure_gives_the_claim_back(do: Callable[..., Any], where: str) -> None:
    target = Target()
    with pytest.raises(ZeroDivisionError):
        await do(target, fail, finished=fail if where == "hook" else None)
    assert target.seen == ["try", "release"]


async def test_returned_exception_gives_the_claim_back(do: Callable[..., Any]) -> None:
    """A handler may return `Retry()` as well as raise it: no tombstone for work that is to be done again."""
    target, again = Target(), LookupError("again")
    assert await do(target, lambda: again) is again
    assert target.seen == ["try", "release"]


async def test_failed_claim_is_neither_skipped_nor_released(do: Callable[..., Any]) -> None:
    """U120"""
    target = Target(claim_try=Unavailable("down"))
    with pytest.raises(Unavailable):
        await do(target, lambda: "done")
    assert target.seen == ["try"]


async def test_failed_release_hides_no_failure_of_the_work(
    do: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    """U119"""
    target = Target(claim_release=Unavailable("down"))
    with pytest.raises(ZeroDivisionError):
        await do(target, fail)
    (record,) = [record for record in caplog.records if record.name == "pgqueue.claim"]
    assert record.levelname == "ERROR"


async def test_claim_that_was_lost_while_working_is_said(do: Callable[..., Any]) -> None:
    target = Target(claim_finish=ClaimLost("lost"))
    with pytest.raises(ClaimLost):
        await do(target, lambda: "done", terms=Terms(lease=5))
    assert target.seen == ["try", "finish"]


def test_skip_results_are_the_documented_words() -> None:
    """U112: monitoring reads them."""
    assert (SKIPPED_DUPLICATE, SKIPPED_TERMINAL) == ("skipped_duplicate", "skipped_terminal")
