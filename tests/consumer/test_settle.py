from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from pgqueue.consumer import calls
from pgqueue.consumer.model import Verb, Verdict
from pgqueue.consumer.outcome import ARCHIVE, DELETE, NOTHING, RELEASE
from pgqueue.consumer.settle import LEAST_PAUSE, Settler
from pgqueue.errors import DatabaseError, InDoubt, QueueNotFound, Unavailable
from pgqueue.message.model import Outcome
from tests.consumer.conftest import PLAN, AsyncScript, held, ids_of

VERDICTS = {
    "delete": DELETE,
    "archive": ARCHIVE,
    "release": RELEASE,
    "retry": Verdict(Verb.RETRY, delay=5, error="why"),
    "bury": Verdict(Verb.BURY, reason="bad", error="why"),
}


def settler(work: AsyncScript, pauses: list[float] | None = None) -> Settler:
    async def pause(seconds: float) -> None:
        (pauses if pauses is not None else []).append(seconds)

    return Settler(work, pause=pause, chance=lambda: 0.0)


async def drain(settler: Settler) -> None:
    running = asyncio.create_task(settler.run())
    await asyncio.wait_for(settler.drained(), 5)
    running.cancel()


async def test_what_gathers_goes_out_in_one_call_a_verb_with_its_receipts(work: AsyncScript) -> None:
    settling = settler(work)
    for n, (_, verdict) in enumerate(VERDICTS.items()):
        settling.add(held(msg_id=2 * n + 1), verdict)
        settling.add(held(msg_id=2 * n + 2), verdict)
    await drain(settling)
    assert [call.name for call in work.calls] == [f"message.{verb}_batch" for verb in VERDICTS]
    for n, call in enumerate(work.calls):
        ids = [2 * n + 1, 2 * n + 2]
        assert call.params[0] == ids
        assert [msg_id * 1000 + 1 for msg_id in ids] in call.params
    assert settling.pending == 0


async def test_what_ends_while_a_call_is_on_its_way_goes_with_the_next(work: AsyncScript) -> None:
    settling = settler(work)

    def meanwhile(_: Any) -> dict[int, Outcome]:
        settling.add(held(msg_id=2), DELETE)
        settling.add(held(msg_id=3), DELETE)
        return {1: Outcome.DONE}

    work.on("message.delete_batch", meanwhile)
    settling.add(held(msg_id=1), DELETE)
    await drain(settling)
    assert [call.params[0] for call in work.calls] == [[1], [2, 3]]


async def test_a_thousand_is_the_most_a_call_takes(work: AsyncScript) -> None:
    settling = settler(work)
    for n in range(2500):
        settling.add(held(msg_id=n), DELETE)
    await drain(settling)
    assert [len(call.params[0]) for call in work.calls] == [1000, 1000, 500]  # type: ignore[arg-type]


async def test_two_leases_of_one_message_never_go_in_one_call(work: AsyncScript) -> None:
    settling = settler(work)
    for msg_id, delay in ((1, 5), (2, 6), (1, 7)):
        settling.add(held(msg_id=msg_id), Verdict(Verb.RETRY, delay=delay))
    await drain(settling)
    ids = [call.params[0] for call in work.calls]
    assert ids == [[1, 2], [1]]


async def test_nothing_is_nothing(work: AsyncScript) -> None:
    settling = settler(work)
    settling.add(held(), NOTHING)
    assert settling.pending == 0


@pytest.mark.parametrize("error", [Unavailable("gone"), InDoubt("gone")])
async def test_a_lost_connection_is_waited_for_and_no_verdict_is_forgotten(
    work: AsyncScript, error: Exception
) -> None:
    pauses: list[float] = []
    settling = settler(work, pauses)
    work.on("message.delete_batch", error, error, error)
    settling.add(held(msg_id=1), DELETE)
    settling.add(held(msg_id=2), RELEASE)
    await drain(settling)
    assert work.settled("delete") == [1, 1, 1, 1]
    assert work.settled("release") == [2]
    waited = [least + rest for least, rest in zip(pauses[::2], pauses[1::2], strict=True)]
    assert waited == [0.5, 0.5, 1.0], "a success in between starts the waiting anew"


async def test_an_answer_to_another_call_ends_the_waiting_for_the_server(work: AsyncScript) -> None:
    """Else what was claimed after an outage could lapse behind acks that wait for its end."""
    waits: list[float] = []

    async def pause(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 2:
            settling.server_answered()
            await asyncio.Event().wait()

    settling = Settler(work, pause=pause, chance=lambda: 0.0)
    settling.server_answered()  # what was heard before the failure says nothing
    work.on("message.delete_batch", Unavailable("gone"))
    settling.add(held(msg_id=1), DELETE)
    settling.add(held(msg_id=2), RELEASE)  # its success doesn't make the first one wait longer
    await drain(settling)
    assert work.settled("delete") == [1, 1]
    assert waits == [LEAST_PAUSE, 0.5 - LEAST_PAUSE]


async def test_one_refused_message_costs_no_other(work: AsyncScript) -> None:
    settling = settler(work)
    bad = DatabaseError("no", cure="none")

    def answer(call: Any) -> dict[int, Outcome]:
        if 2 in call.params[0]:
            raise bad
        return dict.fromkeys(call.params[0], Outcome.DONE)

    work.on("message.retry_batch", *[answer] * 50)
    for n in (1, 2, 3):
        settling.add(held(msg_id=n), VERDICTS["retry"])
    await drain(settling)
    tried = work.settled("retry")
    assert (tried.count(1), tried.count(3)) == (2, 2)
    assert 3 <= tried.count(2) <= 10, "given up after a few tries: its lease lapses"


@pytest.mark.parametrize("verb", ["delete", "archive", "bury"])
@pytest.mark.parametrize(("answer", "outcome"), [("gone", Outcome.DONE), ("stale", Outcome.STALE)])
def test_what_a_repeated_ack_finds_gone_was_acked_by_its_first_run(
    verb: str, answer: str, outcome: Outcome
) -> None:
    call = calls.settle(PLAN, VERDICTS[verb].verb, [(held(), VERDICTS[verb])])
    assert call.result([(1, answer)], repeated=True) == {1: outcome}
    assert call.result([(1, answer)]) == {1: Outcome(answer)}


async def test_messages_of_a_dropped_queue_are_let_go(work: AsyncScript) -> None:
    settling = settler(work)
    work.on("message.delete_batch", QueueNotFound("gone"))
    settling.add(held(), DELETE)
    await drain(settling)
    assert len(work.calls) == 1


async def test_a_part_whose_barrier_cant_send_goes_back_with_the_error_and_costs_no_other(
    work: AsyncScript,
) -> None:
    """F81: the queue of its callback was dropped."""
    settling = settler(work)

    def answer(call: Any) -> dict[int, Outcome]:
        ids = call.params[1]
        if 2 in ids:
            raise QueueNotFound('queue "total" does not exist')
        return dict.fromkeys(ids, Outcome.DONE)

    work.on("barrier.ack", *[answer] * 4)
    for n in (1, 2, 3):
        headers = {"pgqueue-part": {"barrier": "b", "generation": n, "part": 0}}
        settling.add(held(msg_id=n, headers=headers), DELETE)
    await drain(settling)
    assert [call.params[1] for call in work.named("barrier.ack")] == [[1, 2, 3], [1], [2], [3]]
    (retry,) = work.named("message.retry_batch")
    assert ids_of(retry) == [2]
    assert "total" in str(retry.params)


async def test_acks_commit_asynchronously_only_where_the_queue_allows(work: AsyncScript) -> None:
    settling = settler(work)
    settling.add(held(msg_id=1), DELETE)
    settling.add(held(msg_id=2), ARCHIVE)
    settling.add(held(msg_id=3, plan=replace(PLAN, queue="strict", ack_async=False)), DELETE)
    await drain(settling)
    assert [call.may_commit_async for call in work.calls] == [True, False, False]


async def test_acks_of_messages_claimed_after_the_queue_went_sync_commit_so(work: AsyncScript) -> None:
    settling = settler(work)
    settling.add(held(msg_id=1), DELETE)
    settling.add(held(msg_id=2, plan=replace(PLAN, ack_async=False)), DELETE)
    await drain(settling)
    assert [(call.params[0], call.may_commit_async) for call in work.calls] == [([1], True), ([2], False)]
