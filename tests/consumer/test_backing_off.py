from __future__ import annotations

import asyncio

import pytest

from pgqueue.consumer.outcome import DELETE
from pgqueue.consumer.settle import MOST_TRIES, Settler
from pgqueue.errors import (
    DatabaseError,
    InDoubt,
    InvalidInput,
    PermissionDenied,
    PgQueueError,
    QueueBusy,
    QueueNotFound,
    SchemaMismatch,
    Unavailable,
)
from pgqueue.periodic import Trouble, is_of_the_server
from tests.consumer.conftest import AsyncScript, held

FULL = DatabaseError("could not extend file", sqlstate="53100")

# (error, everybody's?, why)
CASES: list[tuple[PgQueueError, bool, str]] = [
    (Unavailable("gone"), True, "no connection"),
    (InDoubt("gone"), True, "no answer"),
    (QueueBusy("locked"), True, "somebody holds a lock on the queue"),
    (PermissionDenied("no"), True, "a right that was taken away comes back"),
    (SchemaMismatch("no"), True, "the schema is away for a while"),
    (FULL, True, "disk full"),
    (DatabaseError("out of memory", sqlstate="53200"), True, "no memory"),
    (DatabaseError("I/O error", sqlstate="58030"), True, "a broken disk"),
    (DatabaseError("deadlock", sqlstate="40P01"), True, "a lost race"),
    (DatabaseError("shutting down", sqlstate="57P01"), True, "an operator's hand"),
    (DatabaseError("statement timeout", sqlstate="57014"), False, "a smaller statement may be quick enough"),
    (DatabaseError("check", sqlstate="23514"), False, "a row that a constraint refuses"),
    (DatabaseError("bug", sqlstate="XX000"), False, "an internal error"),
    (DatabaseError("?"), False, "nothing is known"),
    (InvalidInput("bad"), False, "an argument"),
    (QueueNotFound("no"), False, "the queue was dropped"),
]


@pytest.mark.parametrize(("error", "everybodys", "why"), CASES, ids=[case[2] for case in CASES])
def test_what_every_call_would_meet_is_told_from_what_one_message_brings(
    error: PgQueueError, everybodys: bool, why: str
) -> None:
    assert is_of_the_server(error) is everybodys


async def test_a_full_disk_makes_no_verdict_be_given_up_nor_sent_one_by_one(work: AsyncScript) -> None:
    pauses: list[float] = []

    async def pause(seconds: float) -> None:
        pauses.append(seconds)

    settling = Settler(work, pause=pause, chance=lambda: 0.0)
    work.on("message.delete_batch", *[FULL] * (3 * MOST_TRIES))
    for n in (1, 2, 3):
        settling.add(held(msg_id=n), DELETE)
    running = asyncio.create_task(settling.run())
    await asyncio.wait_for(settling.drained(), 5)
    running.cancel()
    assert len(work.calls) == 3 * MOST_TRIES + 1
    assert all(call.params[0] == [1, 2, 3] for call in work.calls)
    waited = [least + rest for least, rest in zip(pauses[::2], pauses[1::2], strict=True)]
    assert waited[:5] == [0.5, 1.0, 2.0, 4.0, 5.0]


def test_the_pause_doubles_to_its_limit_and_begins_anew_after_a_success() -> None:
    trouble = Trouble(lambda: 0.0)
    assert [trouble.seen() for _ in range(6)] == [0.5, 1.0, 2.0, 4.0, 5.0, 5.0]
    assert trouble.over()
    assert not trouble.over()
    assert trouble.seen() == 0.5


def test_the_pause_is_shortened_by_up_to_a_half_so_that_workers_come_back_apart() -> None:
    assert Trouble(lambda: 1.0).seen() == 0.25


def test_of_many_failures_the_first_is_news_and_then_about_one_a_minute() -> None:
    trouble = Trouble(lambda: 0.0)
    news = []
    for _ in range(31):
        trouble.seen()
        news.append(trouble.is_news)
    assert [n for n, is_news in enumerate(news, 1) if is_news] == [1, 16, 31]
