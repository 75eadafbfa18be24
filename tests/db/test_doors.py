from __future__ import annotations

import pytest
from psycopg.conninfo import conninfo_to_dict

from pgqueue.db.doors import DirectDoor, PooledDoor
from pgqueue.errors import ConfigurationError
from pgqueue.settings import read_dsn


def test_the_pooled_door_uses_nothing_of_a_session() -> None:
    """U39"""
    door = PooledDoor(read_dsn("postgresql://h/d", "test"), "consumer")
    assert door.options == {"autocommit": True, "prepare_threshold": None}
    given = conninfo_to_dict(door.conninfo())
    assert given["fallback_application_name"] == "pgqueue/consumer"
    assert "options" not in given
    assert not door.refuses_poolers


def test_the_direct_door_may_prepare_and_refuses_poolers() -> None:
    door = DirectDoor(read_dsn("postgresql://h/d", "test"))
    assert door.options["prepare_threshold"] == 5
    assert door.refuses_poolers


@pytest.mark.parametrize(
    ("dsn", "seconds"), [("host=h", 10), ("host=h connect_timeout=3", 3), ("host=h connect_timeout=1", 2)]
)
def test_the_time_to_connect_is_the_dsns(dsn: str, seconds: int) -> None:
    assert PooledDoor(read_dsn(dsn, "test")).connect_timeout == seconds


def test_the_encoding_is_not_the_dsns() -> None:
    door = PooledDoor(read_dsn("host=h client_encoding=SQL_ASCII", "test"))
    assert conninfo_to_dict(door.conninfo())["client_encoding"] == "UTF8"


@pytest.mark.parametrize(
    "dsn",
    [
        "postgresql://u:HUSH@h/d?no_such=1",
        "host=h password=HUSH no_such=1",
        "host=h password='HUSH",
        "postgresql://u:HU%SH@h/d",
    ],
)
def test_a_dsn_that_libpq_refuses_is_refused_at_once_without_its_password(dsn: str) -> None:
    """B52"""
    with pytest.raises(ConfigurationError, match="PGQUEUE_DSN") as caught:
        PooledDoor(read_dsn(dsn, "PGQUEUE_DSN"))
    assert "HUSH" not in str(caught.value)
    assert "HU%SH" not in str(caught.value)
    assert caught.value.__cause__ is None
