from __future__ import annotations

from datetime import UTC, datetime

import pytest

from pgqueue.call import Repeat
from pgqueue.dead_letter import calls
from pgqueue.errors import InvalidInput

NOW = datetime(2030, 1, 1, tzinfo=UTC)


def test_a_hostile_dead_letter_is_shown_beside_the_others() -> None:
    row = ("orders", 1, "poison", "boom", 6, 0, 0, None, NOW, NOW, "w1", NOW, None, None)
    good, broken = calls.dead_letters("orders").parse([(*row, "[1]", None), (*row, "1e999", None)])
    assert (good.message, good.broken, good.reason) == ([1], None, "poison")
    assert (broken.message, broken.msg_id) == (None, 1)
    assert "can't be decoded" in (broken.broken or "")


def test_a_redrive_is_not_repeated_and_answers_old_and_new_ids() -> None:
    call = calls.redrive("orders", [1, 2])
    assert call.repeat is Repeat.NEVER
    assert call.parse([(1, 10), (2, 11)]) == {1: 10, 2: 11}
    assert calls.redrive("orders").params == (None,)


def test_bad_arguments_never_become_a_call() -> None:
    with pytest.raises(InvalidInput):
        calls.redrive("orders", "12")  # type: ignore[arg-type]
    with pytest.raises(InvalidInput):
        calls.dead_letters("orders", qty=0)
