from __future__ import annotations

import pytest

from pgqueue.errors import ConfigurationError
from pgqueue.settings import (
    EMBEDDED,
    Dsn,
    find_direct_dsn,
    find_dsn,
    mask,
    read_dsn,
    read_flag,
    read_number,
    unknown_variables,
)

URL = "postgresql://app:secret@db.example:5432/app"


@pytest.mark.parametrize(
    ("explicit", "environ", "source"),
    [
        (URL, {"PGQUEUE_DSN": "postgresql:///other"}, "--dsn"),
        (None, {"PGQUEUE_DSN": URL, "DATABASE_URL": "postgresql:///other"}, "PGQUEUE_DSN"),
        (None, {"DATABASE_URL": URL, "PGHOST": "other"}, "DATABASE_URL"),
        (None, {"PGQUEUE_DSN": "  ", "DATABASE_URL": URL}, "DATABASE_URL"),
        ("", {"DATABASE_URL": f" {URL}\n"}, "DATABASE_URL"),
    ],
)
def test_the_first_dsn_that_is_set_wins(explicit: str | None, environ: dict[str, str], source: str) -> None:
    assert find_dsn(explicit, environ) == Dsn(URL, source)


@pytest.mark.parametrize("name", ["PGHOST", "PGHOSTADDR", "PGPORT", "PGSERVICE", "PGDATABASE"])
def test_libpq_variables_count_as_a_dsn(name: str) -> None:
    found = find_dsn(None, {name: "x"})
    assert (found.conninfo, found.source, found.is_embedded) == ("", "PG* variables", False)


@pytest.mark.parametrize(
    "environ", [{}, {"PGUSER": "me", "PGPASSWORD": "x"}, {"PGHOST": "", "PGQUEUE_DSN": ""}]
)
def test_without_a_server_named_it_is_the_embedded_one(environ: dict[str, str]) -> None:
    assert find_dsn(None, environ) == Dsn("", EMBEDDED)
    assert find_dsn(None, environ).is_embedded


@pytest.mark.parametrize(
    ("given", "conninfo", "pooler"),
    [
        ("postgresql+psycopg://a:b@h/d", "postgresql://a:b@h/d", False),
        ("postgres+asyncpg://a:b@h/d", "postgresql://a:b@h/d", False),
        ("POSTGRES://h/d", "postgresql://h/d", False),
        ("postgresql://h:6432/d?pgbouncer=true", "postgresql://h:6432/d", True),
        ("postgresql://h/d?sslmode=require&pgbouncer=true", "postgresql://h/d?sslmode=require", True),
        ("postgresql://h/d?pgbouncer=false", "postgresql://h/d", False),
        ("postgresql:///d?host=/var/run/postgresql", "postgresql:///d?host=/var/run/postgresql", False),
        (
            "postgresql://h1:1,h2:2/d?target_session_attrs=any",
            "postgresql://h1:1,h2:2/d?target_session_attrs=any",
            False,
        ),
        ("postgresql://u:p%40%3A%2F%25%23@h/d", "postgresql://u:p%40%3A%2F%25%23@h/d", False),
        ("host=h password='a b' dbname=d", "host=h password='a b' dbname=d", False),
        ("service=prod", "service=prod", False),
    ],
)
def test_forms_of_a_dsn_that_are_understood(given: str, conninfo: str, pooler: bool) -> None:
    """B52"""
    assert read_dsn(given, "test") == Dsn(conninfo, "test", pooler)


@pytest.mark.parametrize(
    "bad", ["http://user:secret@h/d", "mysql://root:secret@h/d", "localhost", "secret", "://x"]
)
def test_what_cannot_be_a_dsn_is_refused_without_showing_it(bad: str) -> None:
    """B52"""
    with pytest.raises(ConfigurationError) as caught:
        find_dsn(None, {"PGQUEUE_DSN": bad})
    assert "PGQUEUE_DSN" in str(caught.value)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "secretive",
    [
        "postgresql://app:SECRET@h/d",
        "postgresql://app:SEC:RET/SECRET@SECRET@h/d",
        "postgresql://h/d?user=a&password=SECRET&sslmode=require",
        "host=h password=SECRET dbname=d",
        "host=h password = 'SEC RET \\' SECRET' dbname=d",
        "host=h sslpassword=SECRET",
        "could not connect to postgresql://app:SECRET@h/d: refused",
    ],
)
def test_a_password_is_never_shown(secretive: str) -> None:
    """B52"""
    for shown in (mask(secretive), Dsn(secretive, "x").display, repr(Dsn(secretive, "x"))):
        assert "SEC" not in shown
        assert "RET" not in shown
        assert "***" in shown


def test_a_dsn_without_text_shows_its_source() -> None:
    assert Dsn("", EMBEDDED).display == EMBEDDED


def test_the_direct_dsn_is_optional_and_refuses_a_pooler() -> None:
    assert find_direct_dsn(None, {}) is None
    assert find_direct_dsn(None, {"PGQUEUE_DIRECT_DSN": URL}) == Dsn(URL, "PGQUEUE_DIRECT_DSN")
    assert find_direct_dsn(URL, {"PGQUEUE_DIRECT_DSN": "postgresql:///x"}) == Dsn(URL, "--direct-dsn")
    with pytest.raises(ConfigurationError, match="pgbouncer"):
        find_direct_dsn(f"{URL}?pgbouncer=true", {})


@pytest.mark.parametrize(("text", "value"), [("  5 ", 5), ("", 7), ("0.5", 0.5), ("   ", 7)])
def test_a_number_is_trimmed_and_blank_means_the_default(text: str, value: float) -> None:
    """B53"""
    assert read_number({"N": text}, "N", 7, least=0, most=10) == value


@pytest.mark.parametrize("text", ["5s", "five", "11", "-1", "nan", "inf", "1e9"])
def test_a_bad_number_names_the_variable(text: str) -> None:
    """B53"""
    with pytest.raises(ConfigurationError, match="PGQUEUE_N"):
        read_number({"PGQUEUE_N": text}, "PGQUEUE_N", 7, least=0, most=10)


@pytest.mark.parametrize(
    ("text", "value"), [("true ", True), ("FALSE", False), ("1", True), ("off", False), ("", True)]
)
def test_a_flag_is_trimmed_and_blank_means_the_default(text: str, value: bool) -> None:
    """B53"""
    assert read_flag({"F": text}, "F", default=True) is value


def test_a_bad_flag_names_the_variable() -> None:
    """B53"""
    with pytest.raises(ConfigurationError, match="PGQUEUE_F"):
        read_flag({"PGQUEUE_F": "maybe"}, "PGQUEUE_F", default=True)


def test_an_unknown_variable_is_found_with_the_nearest_name() -> None:
    """B53"""
    environ = {"PGQUEUE_DNS": "x", "PGQUEUE_DSN": "y", "PGQUEUE_ZZZZZZ": "z", "HOME": "/"}
    assert unknown_variables(environ, []) == {"PGQUEUE_DNS": "PGQUEUE_DSN", "PGQUEUE_ZZZZZZ": None}
