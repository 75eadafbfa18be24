from __future__ import annotations

import inspect
import subprocess
import sys

import pytest

import pgqueue
from pgqueue.client.aio import AsyncPgQueue
from pgqueue.client.sync import PgQueue
from pgqueue.db.runner import AsyncConnectionRunner, AsyncRunner, ConnectionRunner, Runner

TWINS = [(PgQueue, AsyncPgQueue), (Runner, AsyncRunner), (ConnectionRunner, AsyncConnectionRunner)]
NOT_AWAITED = {"__init__", "on"}


def methods(kind: type) -> dict[str, str]:
    """Signature and docstring of each method, in the words of the sync one."""
    found = {}
    for name, value in vars(kind).items():
        if inspect.isfunction(value) and (not name.startswith("_") or name.startswith("__")):
            plain = name.replace("__a", "__") if name in ("__aenter__", "__aexit__") else name
            signature = (
                str(inspect.signature(value)).replace("psycopg.Async", "psycopg.").replace("'AsyncC", "'C")
            )
            found[plain] = f"{signature} {inspect.getdoc(value)}"
    return found


@pytest.mark.parametrize(("plain", "asynchronous"), TWINS)
def test_both_have_the_same_names_signatures_and_docstrings(plain: type, asynchronous: type) -> None:
    assert methods(plain) == methods(asynchronous)


@pytest.mark.parametrize(("plain", "asynchronous"), TWINS)
def test_what_talks_to_the_database_is_awaited_in_one_and_not_in_the_other(
    plain: type, asynchronous: type
) -> None:
    for name, value in vars(asynchronous).items():
        if inspect.isfunction(value) and not name.startswith("_"):
            assert inspect.iscoroutinefunction(value) is (name not in NOT_AWAITED)
            assert not inspect.iscoroutinefunction(getattr(plain, name))


def test_nothing_is_opened_by_making_a_client() -> None:
    client = PgQueue("postgresql://127.0.0.1:1/nowhere")
    client.close()
    client.close()


def test_the_public_names_are_lazy_and_listed() -> None:
    assert pgqueue.PgQueue is PgQueue
    assert pgqueue.AsyncPgQueue is AsyncPgQueue
    assert {"App", "PgQueue", "AsyncPgQueue", "Context", "Identity", "Arg", "Retry", "Bury", "Release"} < set(
        dir(pgqueue)
    )
    with pytest.raises(AttributeError, match="NoSuchName"):
        pgqueue.NoSuchName  # noqa: B018


def test_importing_the_package_does_not_load_the_driver() -> None:
    code = "import sys, pgqueue, pgqueue.settings, pgqueue.message.calls; print('psycopg' in sys.modules)"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "False"
