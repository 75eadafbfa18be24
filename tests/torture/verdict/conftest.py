"""Stories that every check begins with."""

from __future__ import annotations

import pytest

from tests.torture.verdict.chronicle import Chronicle


@pytest.fixture
def chronicle() -> Chronicle:
    """Begin a run in which one message, u1 with msg_id 1, was sent."""
    made = Chronicle()
    made.send("u1", 1)
    return made
