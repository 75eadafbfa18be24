"""An effect in the ack's transaction happens exactly once for a message that is done, and never for another."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.torture.verdict.chronicle import QUEUE, Chronicle

A = "consumer-0.1"


@pytest.fixture
def chronicle() -> Chronicle:
    made = Chronicle()
    made.send("u1", 1, "tx")
    made.claim(A, 1, 11)
    return made


def judged(chronicle: Chronicle, folder: Path) -> dict[str, int]:
    chronicle.run(A, 1, 11)
    return chronicle.finish().judged(folder).violations


def test_one_effect(chronicle: Chronicle, tmp_path: Path) -> None:
    chronicle.effect(A, 1, 11)
    assert judged(chronicle, tmp_path) == {}


@pytest.mark.parametrize("row", [True, False])
def test_a_commit_in_doubt_has_both_or_neither(chronicle: Chronicle, tmp_path: Path, row: bool) -> None:
    chronicle.effect(A, 1, 11, end="info", row=row)
    if not row:
        chronicle.waiting(1)
    assert judged(chronicle, tmp_path) == ({} if row else {"stuck": 1})


def test_a_message_that_is_gone_without_its_effect(chronicle: Chronicle, tmp_path: Path) -> None:
    chronicle.run(A, 1, 11)
    chronicle.ack(A, 1, 11)
    assert chronicle.finish().judged(tmp_path).violations == {"effects": 1}


def test_a_confirmed_effect_that_is_not_there(chronicle: Chronicle, tmp_path: Path) -> None:
    chronicle.effect(A, 1, 11, row=False)
    assert judged(chronicle, tmp_path)["effects"] == 2  # it was confirmed, and the message is done without it


def test_two_effects(chronicle: Chronicle, tmp_path: Path) -> None:
    chronicle.effect(A, 1, 11)
    chronicle.tables["effects"] *= 2
    assert judged(chronicle, tmp_path) == {"effects": 1}


def test_an_effect_whose_message_still_waits(chronicle: Chronicle, tmp_path: Path) -> None:
    chronicle.effect(A, 1, 11)
    chronicle.waiting(1)
    assert judged(chronicle, tmp_path) == {"effects": 1, "stuck": 1}


def test_an_effect_whose_message_is_dead(chronicle: Chronicle, tmp_path: Path) -> None:
    chronicle.effect(A, 1, 11, end="info", row=True)
    chronicle.dead(1)
    assert judged(chronicle, tmp_path) == {"effects": 1}


def test_an_effect_of_a_message_that_nobody_sent(chronicle: Chronicle, tmp_path: Path) -> None:
    chronicle.effect(A, 1, 11)
    stranger = {"uid": "x", "queue": QUEUE, "msg_id": 5, "receipt": 1, "db_at": 0}
    chronicle.tables["effects"].append(stranger)
    assert judged(chronicle, tmp_path) == {"effects": 1}


def test_a_message_whose_send_was_in_doubt_has_one_effect_as_well(tmp_path: Path) -> None:
    chronicle = Chronicle()
    chronicle.send("u1", 1, "tx", end="info")
    chronicle.claim(A, 1, 11)
    chronicle.run(A, 1, 11)
    chronicle.ack(A, 1, 11)
    assert chronicle.finish().judged(tmp_path).violations == {"effects": 1}
