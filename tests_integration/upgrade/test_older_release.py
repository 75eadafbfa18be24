"""Old plus upgrade equals new, and what the queues held is still theirs.

There is no earlier release yet: an older tree is made from today's by taking files away, adding and changing some.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import psycopg
import pytest

from pgqueue.migrate import apply
from pgqueue.migrate.apply import as_script
from pgqueue.migrate.sql_files import load, sql_directory
from tests_integration.upgrade.catalogue import dump, same_schema
from tests_integration.upgrade.servers import VERSION, Server, install

TWO_QUEUES = """
select pgqueue.create_queue('orders', 'log'), pgqueue.create_queue('mail', 'row', settings => '{"vt": 10}');
select pgqueue.send(q, jsonb_build_object('n', n), key => 'k' || n)
from unnest('{orders,mail}'::text[]) q, generate_series(1, 5) n;
select pgqueue.read('orders', qty => 2), pgqueue.bury('orders', 5, 'bad'), pgqueue.archive('mail', 1);
"""
HELD = """
select 'live', m::text from pgqueue.messages m union all select 'dead', d::text from pgqueue.dead_letters d
union all select 'kept', a::text from pgqueue.a_mail a union all select 'key', k::text from pgqueue.k_orders k
order by 1, 2"""
OBSOLETE = """create or replace function pgqueue.{name}(qty integer default 1)
returns integer
language sql security definer
set search_path = pg_catalog, pg_temp
as $$ select $1 $$;
"""


def older_tree(directory: Path) -> Path:
    """Copy today's SQL and make it look older: changed bodies, functions that will go, functions still to come."""
    root = Path(shutil.copytree(sql_directory(), directory / "sql"))
    functions = root / "functions"
    for path in ("18_row/delete.sql", "20_message/send.sql", "00_support/quoted.sql"):
        body = (functions / path).read_text()
        (functions / path).write_text(body.replace("-- Returns:", "-- as it was once. Returns:"))
    for path, parameter in (
        ("00_support/check_headers.sql", ", label text default 'headers'"),
        ("18_row/release_batch.sql", ", delays interval[] default null"),
        ("20_message/release_batch.sql", ", delays interval[] default null"),
    ):
        body = (functions / path).read_text()
        assert parameter in body
        (functions / path).write_text(body.replace(parameter, ""))
    for folder in ("18_row", "20_message"):
        (functions / folder / "pop.sql").unlink()
    (functions / "20_message" / "metrics.sql").unlink()
    (functions / "00_support" / "obsolete.sql").write_text(OBSOLETE.format(name="obsolete"))
    view = root / "views" / "queues.sql"
    view.write_text(
        view.read_text().replace("select q.queue,", "select left(q.queue, 99 + pgqueue.obsolete()) as queue,")
    )
    roles = functions / "00_support" / "verb_roles.sql"
    roles.write_text(roles.read_text().replace("in ('send',", "in ('send', 'peek', 'read',"))
    (functions / "18_row" / "renew.sql").write_text(OBSOLETE.format(name="renew__template_queue"))
    return root


def install_older(conninfo: str, directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    older = load(older_tree(directory))
    with monkeypatch.context() as patch:
        patch.setattr(apply, "load", lambda: older)
        install(conninfo)


def test_old_plus_upgrade_equals_new(
    empty: str, fresh: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install_older(empty, tmp_path, monkeypatch)
    install(fresh)
    for conninfo in (empty, fresh):
        with psycopg.connect(conninfo) as db:
            db.execute(TWO_QUEUES)
    assert dump(empty) != dump(fresh)
    assert not install(empty).empty
    same_schema(dump(empty), dump(fresh))


def test_queues_keep_messages_leases_keys_and_dead_letters(
    empty: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install_older(empty, tmp_path, monkeypatch)
    with psycopg.connect(empty, autocommit=True) as db:
        db.execute(TWO_QUEUES)
        before = db.execute(HELD).fetchall()
        leases = db.execute("select generate_series(lo, hi), receipt from pgqueue.c_orders").fetchall()
        install(empty)
        assert db.execute(HELD).fetchall() == before
        assert len(leases) == 2
        for lease in leases:
            assert db.execute("select pgqueue.delete__orders(%s, %s)", lease).fetchone() == ("done",)
        assert db.execute("select pgqueue.send('mail', '{}', key => 'k3')").fetchone() == (3,)
        assert len(db.execute("select * from pgqueue.pop__mail(10)").fetchall()) == 4


def test_grants_that_an_operator_made_on_a_queue_survive(
    empty: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install_older(empty, tmp_path, monkeypatch)
    with psycopg.connect(empty, autocommit=True) as db:
        db.execute(TWO_QUEUES)
        db.execute("grant execute on function pgqueue.delete__orders(bigint, bigint) to pg_monitor")
        install(empty)
        granted = (
            "select has_function_privilege('pg_monitor', 'pgqueue.delete__orders(bigint, bigint)', 'execute')"
        )
        assert db.execute(granted).fetchone() == (True,)


def test_functions_in_the_database_are_the_files_in_the_folder(
    empty: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not one more, not one less, no second signature of a name; and each queue has a copy of each template."""
    install_older(empty, tmp_path, monkeypatch)
    with psycopg.connect(empty, autocommit=True) as db:
        db.execute(TWO_QUEUES)
        install(empty)
        rows = db.execute(
            "select proname::text from pg_proc where pronamespace = 'pgqueue'::regnamespace"
        ).fetchall()
    suffixes = {"18_row": "__template_queue", "19_log": "__template_log"}
    files = {p.stem + suffixes.get(p.parent.name, "") for p in sql_directory().glob("functions/*/*.sql")}
    of_row = {name.removesuffix("__template_queue") for name in files if name.endswith("__template_queue")}
    of_log = {name.removesuffix("__template_log") for name in files if name.endswith("__template_log")}
    beside = {"row_" * (verb in of_log) + verb for verb in of_row}
    clones = [f"{verb}__mail" for verb in of_row] + [f"{verb}__orders" for verb in of_log | beside]
    assert sorted(row[0] for row in rows) == sorted([*files, *clones])


def test_script_by_hand_equals_a_first_migrate(any_server: Server, empty: str, fresh: str) -> None:
    script = as_script(load(), VERSION)
    psql: list[str | Path] = [any_server.bin_dir / "psql", "--no-psqlrc", "--quiet", "--file=-", empty]
    run = subprocess.run(psql, input=script, text=True, capture_output=True, timeout=50, check=False)
    assert (run.returncode, run.stderr) == (0, "")
    install(fresh)
    same_schema(dump(empty), dump(fresh))
    assert install(empty).empty


def test_script_by_hand_fails_loudly_and_whole(any_server: Server, empty: str) -> None:
    """On a database that has the schema already it ends with an error, not with exit status 0."""
    install(empty)
    before = dump(empty)
    psql: list[str | Path] = [any_server.bin_dir / "psql", "--no-psqlrc", "--quiet", "--file=-", empty]
    run = subprocess.run(
        psql, input=as_script(load(), VERSION), text=True, capture_output=True, timeout=50, check=False
    )
    assert run.returncode != 0
    same_schema(dump(empty), before)
