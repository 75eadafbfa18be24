"""These tests run on a server of their own: see `fixtures/quiet.py`."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests_integration.fixtures.database import Database
from tests_integration.fixtures.quiet import quiet_database


@pytest.fixture
def database(quiet: str) -> Iterator[Database]:
    with quiet_database(quiet) as made:
        yield made
