from __future__ import annotations

from pathlib import Path

import pytest

from pgqueue.errors import ConfigurationError
from pgqueue.migrate import sql_files
from pgqueue.migrate.apply import ROLES, as_script
from pgqueue.migrate.sql_files import load, sql_directory

HEADER = "-- why: {why}\n-- breaking: {breaking}\n-- transaction: yes\n"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    files = {
        "migrations/0002_second.sql": HEADER.format(why="then", breaking="yes") + "select 2;\n",
        "migrations/0001_first.sql": HEADER.format(why="at first", breaking="no") + "select 1;\n",
        "functions/20_message/send.sql": "-- dispatcher\n",
        "functions/00_support/clock.sql": "-- clock\n",
        "functions/18_row/send.sql": "-- template\n",
        "views/queues.sql": "-- view\n",
        "roles.sql": "-- roles\n",
        "grants.sql": "-- grants\n",
    }
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path


def test_migrations_are_read_by_number_with_their_headers(tree: Path) -> None:
    found = [(m.version, m.name, m.why, m.breaking) for m in load(tree).migrations]
    assert found == [(1, "first", "at first", False), (2, "second", "then", True)]


def test_functions_stand_in_the_order_of_the_floors(tree: Path) -> None:
    files = load(tree)
    assert files.functions.split() == ["--", "clock", "--", "template", "--", "dispatcher"]


@pytest.mark.parametrize(
    "changed", ["functions/00_support/clock.sql", "views/queues.sql", "roles.sql", "grants.sql"]
)
def test_checksum_changes_with_whatever_is_re_applied(tree: Path, changed: str) -> None:
    before = load(tree).checksum
    (tree / changed).write_text("-- other\n")
    assert load(tree).checksum != before


def test_checksum_of_the_functions_stays_when_a_migration_comes(tree: Path) -> None:
    before = load(tree)
    (tree / "migrations/0003_third.sql").write_text(HEADER.format(why="more", breaking="no"))
    after = load(tree)
    assert after.checksum == before.checksum
    assert [m.checksum for m in after.migrations[:2]] == [m.checksum for m in before.migrations]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("third.sql", HEADER.format(why="x", breaking="no")),
        ("0003_third.sql", HEADER.format(why="x", breaking="perhaps")),
        ("0003_third.sql", "-- why: x\n-- breaking: no\n-- transaction: no\n"),
        ("0003_third.sql", "-- breaking: no\n-- transaction: yes\n"),
        ("0003_third.sql", "select 3;\n"),
    ],
)
def test_migration_without_number_or_header_is_refused_by_name(tree: Path, name: str, text: str) -> None:
    (tree / "migrations" / name).write_text(text)
    with pytest.raises(ConfigurationError, match=name):
        load(tree)


def test_two_migrations_with_one_number_are_refused(tree: Path) -> None:
    (tree / "migrations" / "0002_twin.sql").write_text(HEADER.format(why="x", breaking="no"))
    with pytest.raises(ConfigurationError, match="0002"):
        load(tree)


def test_sql_of_this_checkout_is_found_and_readable() -> None:
    files = load(sql_directory())
    assert [m.version for m in files.migrations] == list(range(1, len(files.migrations) + 1))
    assert all(
        f"function pgqueue.{name}(" in files.functions for name in ("clock", "send__template_queue", "send")
    )


def test_installation_without_its_sql_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sql_files, "__file__", str(tmp_path / "pgqueue" / "migrate" / "sql_files.py"))
    with pytest.raises(ConfigurationError, match="Install the package again"):
        sql_directory()


def test_script_by_hand_is_one_transaction_with_everything_in_it(tree: Path) -> None:
    script = as_script(load(tree), "0.1.0")
    begin, commit = script.index("begin;"), script.index("commit;")
    places = [
        script.index(part)
        for part in ("-- roles", "select 1;", "select 2;", "-- clock", "-- view", "-- grants")
    ]
    assert sorted([begin, *places, commit]) == [begin, *places, commit]
    assert "\\set ON_ERROR_STOP on" in script[:begin]
    assert script.count("insert into pgqueue.migration values") == 2


def test_roles_file_makes_the_roles_that_migrate_asks_for() -> None:
    assert all(role in load().roles for role in ROLES)
