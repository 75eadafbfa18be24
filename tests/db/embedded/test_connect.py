from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from psycopg.conninfo import conninfo_to_dict

from pgqueue.db.embedded.connect import conninfo


@given(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])))
def test_every_value_reaches_the_driver_as_it_was(value: str) -> None:
    if value:
        assert conninfo_to_dict(conninfo(passfile=value, port=5432)) == {"passfile": value, "port": "5432"}


@pytest.mark.parametrize("value", ["/a b/c", "it's", "back\\slash", "x=y", "'", "", " "])
def test_awkward_values_are_quoted(value: str) -> None:
    parsed = conninfo_to_dict(conninfo(host=value, dbname="db"))
    assert parsed.get("host", "") == value
    assert parsed["dbname"] == "db"


def test_plain_values_stay_readable() -> None:
    assert conninfo(host="/run/pg18/socket", port=5432) == "host=/run/pg18/socket port=5432"
