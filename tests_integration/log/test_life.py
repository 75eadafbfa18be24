"""A log from its making to its end: purge, drop, settings, upgrade, dump, crash."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from pgqueue.db.embedded import Cluster
from tests_integration.fixtures.cluster import install_schema, tcp_conninfo
from tests_integration.fixtures.database import Database
from tests_integration.fixtures.verbs import Queue, configure_queue, create_queue, refused, rows, scalar
from tests_integration.log.storage import claims, cursor, ids_of

CLONES = "select proname::text, prosrc, proacl::text from pg_proc where proname ~ '__orders$' order by 1, 2"


class TestEnds:
    def test_purge_empties_both_sides_and_the_row_side_and_ids_go_on(self, border: Queue) -> None:
        border.send_many(10)
        border.send(delay="1 h")
        border.read(qty=7)
        assert scalar(border.connection, "select pgqueue.purge_queue('orders')") == 11
        assert (border.ids(), claims(border)) == ([], [])
        assert border.read() == []
        sent = border.send()
        assert ids_of(border.read()) == [sent]

    def test_recreated_queue_goes_on_with_ids_and_cursor(self, orders: Queue) -> None:
        last = orders.send_many(7)[-1]
        old = orders.read(qty=3)[0]
        scalar(orders.connection, "select pgqueue.drop_queue('orders', true)")
        create_queue(orders.connection, "orders", "log")
        assert (orders.read(), cursor(orders)) == ([], last)
        sent = orders.send()
        assert sent == last + 1
        (message,) = orders.read()
        assert orders.call("delete", msg_id=sent, receipt=old.receipt) == "stale"
        assert orders.call("delete", msg_id=sent, receipt=message.receipt) == "done"

    def test_drop_of_a_log_that_holds_something_needs_force(self, border: Queue) -> None:
        border.send_many(6)
        refused("PQ005", lambda: scalar(border.connection, "select pgqueue.drop_queue('orders')"))
        border.outcomes("delete_batch", msg_ids=border.ids())
        assert scalar(border.connection, "select pgqueue.drop_queue('orders')") is True
        left = "select relname from pg_class where relname ~ 'orders'"
        assert rows(border.connection, left) == []

    @pytest.mark.parametrize("place", ["l_", "m_", "c_"])
    def test_lift_sequence_looks_at_the_log_and_its_claims(self, orders: Queue, place: str) -> None:
        orders.send()
        orders.read_one()
        if place == "m_":
            statement = (
                "insert into pgqueue.m_orders (msg_id, enqueued_at, message) values (5000, now(), '1')"
            )
        else:
            column = "hi" if place == "c_" else "msg_id"
            statement = f"update pgqueue.{place}orders set {column} = 5000"
        orders.connection.execute(statement.encode())
        assert scalar(orders.connection, "select pgqueue.lift_sequence('orders')") == 5000
        assert orders.send() == 5001

    def test_lifted_cursor_hands_out_nothing_under_a_claim(self, orders: Queue) -> None:
        sent = orders.send_many(3)
        orders.read(qty=3)
        orders.connection.execute("select setval('pgqueue.u_orders', 0), setval('pgqueue.s_orders', 1)")
        scalar(orders.connection, "select pgqueue.lift_sequence('orders')")
        assert orders.read(qty=5) == []
        assert orders.send() == sent[-1] + 1

    def test_configure_changes_running_clones_and_no_message(self, orders: Queue) -> None:
        sent = orders.send_many(2)
        orders.read_one()
        configure_queue(orders.connection, "orders", vt=7)
        found = orders.read_one()
        assert (found.vt - found.last_read_at).total_seconds() == 7
        assert orders.ids() == sent


def test_upgrade_twice_keeps_every_message_and_replaces_the_clones(database: Database, border: Queue) -> None:
    border.send_many(10)
    border.send(delay="1 h")
    found = border.read(qty=7)
    before = rows(border.connection, "select * from pgqueue.messages order by msg_id")
    bodies = rows(border.connection, CLONES)
    for name in ("read__orders", "row_read__orders", "take__orders"):
        body: str = scalar(border.connection, f"select pg_get_functiondef('pgqueue.{name}'::regproc)")
        border.connection.execute(body.replace("begin", "/* old */ begin").encode())
    assert rows(border.connection, CLONES) != bodies
    for _ in range(2):
        border.connection.execute("update pgqueue.applied_functions set checksum = 'an older one'")
        install_schema(database.conninfo)
        assert rows(border.connection, CLONES) == bodies
    assert rows(border.connection, "select * from pgqueue.messages order by msg_id") == before
    answered = border.outcomes("delete_batch", msg_ids=ids_of(found), receipts=[found[0].receipt])
    assert set(answered.values()) == {"done"}
    assert len(border.read(qty=10)) == 3


def run(program: Path, conninfo: str, *words: str, text: str | None = None) -> str:
    parts = {name: str(value) for name, value in conninfo_to_dict(conninfo).items() if value is not None}
    variables = os.environ | {
        "PGHOST": parts["host"],
        "PGPORT": parts["port"],
        "PGUSER": parts["user"],
        "PGPASSWORD": parts.get("password", ""),
        "PGDATABASE": parts["dbname"],
    }
    ended = subprocess.run(
        [str(program), *words],
        env=variables,
        input=text,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return ended.stdout


@pytest.mark.timeout(120)
def test_dump_restored_into_a_fresh_cluster_loses_no_message(
    database: Database, border: Queue, other: Queue, own_cluster: Cluster
) -> None:
    sent = border.send_many(10)
    claimed = ids_of(border.read(qty=3))
    other.connection.execute("begin")
    lost = ids_of(other.read(qty=2))
    other.connection.execute("rollback")
    border.call("retry", msg_id=claimed[0], delay="0 s")
    delayed = border.send(delay="1 h")
    programs = own_cluster.bin_dir
    text = run(programs / "pg_dump", database.conninfo, "--no-owner")
    install_schema(tcp_conninfo(own_cluster))  # for the roles, which belong to the cluster
    own_cluster.create_database("restored")
    fresh = tcp_conninfo(own_cluster, "restored")
    run(programs / "psql", fresh, "-q", "-v", "ON_ERROR_STOP=1", text=text)
    with psycopg.connect(fresh, autocommit=True) as connection:
        install_schema(fresh)
        restored = Queue(connection, "orders", "through its clone", "log")
        assert restored.ids() == [*sent, delayed]
        got: list[int] = []
        connection.execute("update pgqueue.c_orders set vt = 'epoch'")
        while found := restored.read(qty=100):
            got += ids_of(found)
        assert sorted(got) == sent
        assert lost[0] in got
        cluster = scalar(connection, "select system_identifier from pg_control_system()")
        assert scalar(connection, "select max(cluster) from pgqueue.h_orders where cluster <> 0") == cluster
        assert restored.send() == delayed + 1


@pytest.mark.timeout(120)
def test_crash_of_the_server_loses_nothing_and_ends_no_durable_lease(own_cluster: Cluster) -> None:
    address = tcp_conninfo(own_cluster)
    install_schema(address)
    with psycopg.connect(address, autocommit=True) as connection:
        create_queue(connection, "orders", "log")
        queue = Queue(connection, "orders", "through its clone", "log")
        sent = queue.send_many(10)
        held = queue.read(qty=4, vt="1 h")
        checkpoint = queue.read(qty=1, vt="1 h")
        assert len(checkpoint) == 1
    own_cluster.stop("immediate")
    own_cluster.start()
    with psycopg.connect(tcp_conninfo(own_cluster), autocommit=True) as connection:
        queue = Queue(connection, "orders", "through its clone", "log")
        assert queue.ids() == sent
        assert ids_of(queue.read(qty=100)) == sent[5:]
        assert queue.read(qty=100) == []
        answered = queue.outcomes("delete_batch", msg_ids=ids_of(held), receipts=[held[0].receipt])
        assert answered == dict.fromkeys(ids_of(held), "done")
        assert queue.send() > sent[-1]
