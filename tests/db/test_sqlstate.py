from __future__ import annotations

from typing import Any

import psycopg
import pytest
from psycopg import errors as driver

from pgqueue import errors as ours
from pgqueue.call import Call, nothing
from pgqueue.db.sqlstate import is_dead, must_drop, proves_rollback, translate
from pgqueue.message import calls
from pgqueue.queue import calls as queue_calls


class Connection:
    def __init__(self, *, alive: bool) -> None:
        self.closed = self.broken = not alive


def error(state: str | None, kind: type[psycopg.Error] | None = None) -> psycopg.Error:
    """An error with this SQLSTATE: of the class that psycopg knows for it, or of the given one."""
    if kind is None:
        kind = driver.lookup(state) if state else psycopg.OperationalError
    made = kind("what the server said")
    made.sqlstate = state
    return made


# (SQLSTATE, connection alive afterwards, dead?, the server proves a rollback?, what it is)
CASES = [
    ("57P01", False, True, True, "pg_terminate_backend, fast shutdown"),
    ("57P02", False, True, False, "another backend crashed"),
    ("57P03", False, True, True, "starting up or shutting down"),
    ("57P05", False, True, True, "idle_session_timeout"),
    ("25P03", False, True, True, "idle_in_transaction_session_timeout: an InternalError"),
    ("25P04", False, True, True, "transaction_timeout: an InternalError"),
    ("08P01", False, True, False, "PgBouncer: client_idle_timeout, KILL, query_wait_timeout"),
    ("08006", False, True, False, "connection failure"),
    ("08003", False, True, False, "connection does not exist"),
    (None, False, True, False, "server closed the connection unexpectedly; the connection is closed"),
    ("57P01", True, False, True, "the words of a dead connection on one that lives"),
    ("08006", True, False, False, "raised by dblink inside of a function"),
    (None, True, False, False, "a fault of the driver on a living connection"),
    ("57014", True, False, False, "statement_timeout, cancel: an OperationalError"),
    ("55P03", True, False, False, "lock_timeout: an OperationalError"),
    ("40001", True, False, False, "serialization failure: an OperationalError"),
    ("40P01", True, False, False, "deadlock: an OperationalError"),
    ("53100", True, False, False, "disk full: an OperationalError"),
    ("53300", True, False, False, "too many connections"),
    ("25006", True, False, False, "read-only server: alive, but the wrong one"),
    ("26000", True, False, False, "prepared statement unknown behind a pooler"),
    ("23505", True, False, False, "unique violation"),
    ("57P04", False, False, False, "database dropped: lost, but no reason to run it again"),
    ("XX000", False, False, False, "an internal error that took the connection along"),
]


@pytest.mark.parametrize(
    ("state", "alive", "dead", "rolled_back"), [case[:4] for case in CASES], ids=[c[4] for c in CASES]
)
def test_dead_is_asked_of_the_connection_and_the_sqlstate(
    state: str | None, alive: bool, dead: bool, rolled_back: bool
) -> None:
    """U24 (overruled), U34, U38"""
    assert is_dead(Connection(alive=alive), error(state)) is dead
    assert proves_rollback(state) is rolled_back


@pytest.mark.parametrize(
    "kind", [psycopg.OperationalError, psycopg.InterfaceError, psycopg.InternalError, psycopg.DatabaseError]
)
def test_the_class_of_the_error_decides_nothing(kind: type[psycopg.Error]) -> None:
    """U24 (overruled)"""
    assert is_dead(Connection(alive=False), error("57P01", kind))
    assert not is_dead(Connection(alive=True), error("57P01", kind))
    assert not is_dead(Connection(alive=True), error(None, kind))


def test_only_errors_of_the_driver_speak_of_a_connection() -> None:
    assert not is_dead(Connection(alive=False), ValueError())
    assert not is_dead(Connection(alive=False), KeyboardInterrupt())


def test_a_read_only_server_is_not_used_again() -> None:
    assert must_drop(error("25006"))
    assert not must_drop(error("57014"))
    assert not must_drop(ValueError())


SEND = calls.send("orders", 1)
CREATE = queue_calls.create_queue("orders")


@pytest.mark.parametrize(
    ("state", "call", "expected"),
    [
        ("PQ001", SEND, ours.QueueNotFound),
        ("PQ002", SEND, ours.InvalidInput),
        ("PQ003", SEND, ours.PayloadError),
        ("PQ004", CREATE, ours.QueueExists),
        ("PQ005", CREATE, ours.QueueNotEmpty),
        ("PQ006", SEND, ours.KeyBusy),
        ("PQ007", SEND, ours.StaleReceipt),
        ("PQ008", SEND, ours.NeedsRowKind),
        ("PQ009", SEND, ours.SchemaMismatch),
        ("PQ010", CREATE, ours.QueueBusy),
        ("PQ999", SEND, ours.DatabaseError),
        ("42883", SEND, ours.QueueNotFound),
        ("42P01", SEND, ours.QueueNotFound),
        ("3F000", SEND, ours.SchemaMismatch),
        ("42883", CREATE, ours.SchemaMismatch),
        ("42883", queue_calls.list_queues(), ours.SchemaMismatch),
        ("42P01", queue_calls.list_queues(), ours.SchemaMismatch),
        ("42501", SEND, ours.PermissionDenied),
        ("55P03", SEND, ours.QueueBusy),
        ("25006", SEND, ours.Unavailable),
        ("22P05", SEND, ours.PayloadError),
        ("22P05", CREATE, ours.DatabaseError),
        ("40P01", SEND, ours.DatabaseError),
        ("53100", SEND, ours.DatabaseError),
        ("57014", SEND, ours.DatabaseError),
        (None, SEND, ours.DatabaseError),
        ("23505", None, ours.DatabaseError),
    ],
)
def test_errors_are_translated_by_code(
    state: str | None, call: Call[Any] | None, expected: type[Exception]
) -> None:
    translated = translate(error(state, psycopg.DatabaseError), call)
    assert type(translated) is expected
    assert translated.sqlstate == state
    assert str(translated).endswith(translated.cure)


def test_the_text_decides_nothing() -> None:
    misleading = psycopg.DatabaseError("queue does not exist; permission denied; connection lost")
    assert type(translate(misleading, SEND)) is ours.DatabaseError


@pytest.mark.parametrize(
    ("call", "role"),
    [
        (SEND, "producer"),
        (calls.send_batch("orders", [1]), "producer"),
        (calls.read("orders"), "consumer"),
        (calls.delete_batch("orders", [1]), "consumer"),
        (calls.peek("orders"), "observer"),
        (queue_calls.metrics(), "observer"),
        (CREATE, "operator"),
        (Call("dead_letter.redrive", "", (), nothing), "operator"),
        (Call("dead_letter.list", "", (), nothing), "observer"),
    ],
)
def test_a_missing_right_names_the_grant(call: Call[Any], role: str) -> None:
    assert f"grant pgqueue_{role} to" in translate(error("42501"), call).cure
