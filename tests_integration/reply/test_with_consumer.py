"""Replies and chains with the real command: also when its process is killed between handler and ack."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import psycopg
import pytest

from pgqueue import AsyncPgQueue, PgQueue, reply
from pgqueue.errors import ClientMisuse, QueueNotFound, ReplyFailed, ReplyTimeout
from pgqueue.message.calls import send
from pgqueue.task import payload
from tests_integration.consumer.conftest import StartWorker
from tests_integration.fixtures.database import Database
from tests_integration.fixtures.door import Door
from tests_integration.fixtures.verbs import Kind, scalar
from tests_integration.fixtures.waiting import eventually

APP = """
from psycopg.types.json import Jsonb

@app.task("quote", queue="orders")
def quote(n: int):
    mark("quote")
    return {"price": n * 10}

@app.task("next", queue="orders")
def after(ctx: Context, **kwargs):
    with ctx.tx() as connection:
        connection.execute("insert into seen values (%s)", (Jsonb([kwargs, ctx.follows and ctx.follows._asdict()]),))
"""


def call(name: str, /, **kwargs: Any) -> Any:
    return send("orders", payload.build(name, [], kwargs))


@pytest.fixture
def seen(db: psycopg.Connection) -> Callable[[], list[Any]]:
    """Read what the followers have committed."""
    db.execute("create table seen (what jsonb)")
    return lambda: [row[0] for row in db.execute("select what from seen").fetchall()]


def told(msg_id: int, **more: Any) -> dict[str, Any]:
    nothing = dict.fromkeys(("result", "reason", "error", "key", "scope"))
    return {"queue": "orders", "msg_id": msg_id} | nothing | more


def test_result_is_what_the_handler_returned(start: StartWorker, client: PgQueue, door: Door) -> None:
    start(APP, dsn=door.conninfo)
    with PgQueue(door.conninfo) as asking:
        handles = [reply.request(asking, call("quote", n=n)) for n in range(10)]
        assert [one.result(15) for one in handles] == [{"price": n * 10} for n in range(10)]
        assert handles[0].result(0) == {"price": 0}


async def test_result_for_asyncio(start: StartWorker, client: PgQueue, door: Door) -> None:
    start(APP.replace("def quote", "async def quote"), dsn=door.conninfo)
    async with AsyncPgQueue(door.conninfo) as asking:
        handle = await reply.request_async(asking, call("quote", n=4))
        assert await handle.result_async(15) == {"price": 40}


def test_result_is_committed_with_the_effects_of_the_transaction(
    start: StartWorker, client: PgQueue, db: psycopg.Connection, seen: Callable[[], list[Any]]
) -> None:
    start(
        """
        @app.task("quote", queue="orders")
        def quote(ctx: Context, n: int):
            with ctx.tx() as connection:
                connection.execute("insert into seen values ('1')")
                ctx.arrive_with({"price": n})
            raise RuntimeError("too late to matter")
        """
    )
    assert reply.request(client, call("quote", n=3)).result(15) == {"price": 3}
    assert seen() == [1]


def test_a_buried_request_fails_with_its_reason(start: StartWorker, client: PgQueue) -> None:
    start(
        """
        @app.task("quote", queue="orders")
        def quote(n: int):
            return Bury("no such product", "look it up")
        """
    )
    with pytest.raises(ReplyFailed, match="no such product: look it up") as caught:
        reply.request(client, call("quote", n=1)).result(15)
    assert caught.value.reason == "no such product"
    with pytest.raises(ReplyFailed) as caught:
        reply.request(client, send("orders", [1, 2])).result(15)
    assert caught.value.reason == "malformed"


def test_a_result_over_the_limit_fails_its_handler_and_says_so(
    start: StartWorker, client: PgQueue, db: psycopg.Connection
) -> None:
    client.configure_queue(
        "orders", {"max_reads": 1, "backoff": {"base": 0.01, "factor": 1, "cap": 1, "jitter": 0}}
    )
    start("@app.task('quote', queue='orders')\ndef quote(): return 'x' * 1_048_576\n")
    with pytest.raises(ReplyFailed, match="1048576") as caught:
        reply.request(client, call("quote")).result(15)
    assert caught.value.reason == "poison"


def test_nobody_waits_for_what_is_not_committed(client: PgQueue, database: Database) -> None:
    with psycopg.connect(database.conninfo) as connection:
        bound = client.on(connection)
        handle = reply.request(bound, call("quote", n=1))
        for one in (handle, handle.on(connection)):
            with pytest.raises(ClientMisuse, match="committed"):
                one.result(1)
        with pytest.raises(ReplyFailed, match="not committed"):
            handle.on(client).result(1)
        connection.commit()
        with pytest.raises(ReplyTimeout, match="no reply after"):
            handle.on(client).result(0.05)
    client.purge_queue("orders")
    with pytest.raises(ReplyFailed, match="nobody has replied"):
        handle.on(client).result(10)


def test_a_request_on_an_autocommit_connection_may_wait_there(
    start: StartWorker, client: PgQueue, db: psycopg.Connection
) -> None:
    start(APP)
    assert reply.request(db, call("quote", n=2)).result(15) == {"price": 20}


def test_worker_killed_between_handler_and_ack_leaves_one_reply_and_one_follower(
    start: StartWorker, client: PgQueue, seen: Callable[[], list[Any]], db: psycopg.Connection
) -> None:
    """The first run ends in a kill that no handler survives; its message comes back after vt."""
    client.configure_queue("orders", {"vt": 1})
    deadly = "    mark('quote')\n    if len(list(MARKS.glob('quote-*'))) == 1: os.kill(os.getpid(), signal.SIGKILL)"
    first = start(APP.replace("    mark('quote')", deadly).replace('    mark("quote")', deadly))
    chained = reply.chain(call("quote", n=3), on_success=call("next", to="x"), on_error=call("next", to="y"))
    handle = reply.request(client, chained)
    first.end()
    with pytest.raises(ReplyTimeout):
        handle.result(0)
    assert seen() == []
    worker = start(APP)
    assert handle.result(20) == {"price": 30}
    assert eventually(seen, 15) == [[{"to": "x"}, told(handle.msg_id, result={"price": 30})]]
    eventually(lambda: scalar(db, "select count(*) = 0 from pgqueue.messages"), 15)
    assert worker.marked("quote") == 2
    assert len(seen()) == 1


def test_two_runs_of_one_message_leave_one_reply_and_one_follower(
    start: StartWorker, client: PgQueue, seen: Callable[[], list[Any]], db: psycopg.Connection
) -> None:
    """The first run goes on after its lease was given to a second one."""
    app = APP.replace(
        '    mark("quote")\n    return {"price": n * 10}',
        '    mark("quote")\n    run = len(list(MARKS.glob("quote-*")))\n'
        '    if run == 1: wait_for("go-on")\n    return {"run": run}',
    )
    worker = start(app)
    handle = reply.request(client, reply.chain(call("quote", n=3), on_success=call("next")))
    worker.wait_for_mark("quote")
    assert client.set_vt("orders", handle.msg_id, 0.1) == "done"
    scalar(db, "select pgqueue.release('orders', %s)", handle.msg_id)
    assert handle.result(15) == {"run": 2}
    worker.let("go-on")
    worker.wait_for("message.lease_lost")
    assert handle.result(0) == {"run": 2}
    eventually(lambda: scalar(db, "select count(*) = 0 from pgqueue.messages"), 15)
    assert seen() == [[{}, told(handle.msg_id, result={"run": 2})]]


def test_on_error_follows_a_message_that_dies_in_its_handler(
    start: StartWorker, client: PgQueue, seen: Callable[[], list[Any]]
) -> None:
    client.configure_queue(
        "orders", {"max_reads": 1, "backoff": {"base": 0.01, "factor": 1, "cap": 1, "jitter": 0}}
    )
    start(APP + "\n@app.task('fail', queue='orders')\ndef fail(): raise ValueError('boom')\n")
    msg_id = client.run(
        reply.chain(call("fail"), on_success=call("next", to="x"), on_error=call("next", to="y"))
    )
    ((kwargs, follows),) = eventually(seen, 15)
    assert (kwargs, follows["msg_id"], follows["reason"]) == ({"to": "y"}, msg_id, "poison")
    assert "boom" in follows["error"]


def test_a_message_whose_follower_has_no_queue_comes_back_with_the_error_and_finally_dies(
    start: StartWorker, client: PgQueue, db: psycopg.Connection, kind: Kind
) -> None:
    client.configure_queue(
        "orders", {"max_reads": 2, "backoff": {"base": 0.1, "factor": 1, "cap": 1, "jitter": 0}}
    )
    client.create_queue("mails", kind)
    handle = reply.request(client, reply.chain(call("quote", n=1), on_success=send("mails", 1)))
    client.drop_queue("mails")
    worker = start(APP)
    with pytest.raises(ReplyFailed, match='queue "mails" does not exist') as caught:
        handle.result(20)
    assert caught.value.reason == "poison"
    assert worker.marked("quote") == 2
    assert scalar(db, "select read_ct from pgqueue.dead_letters where queue = 'orders'") == 3
    assert len(worker.events("settle.failed")) >= 2


IN_ONE_COMMIT = """
@app.task("quote", queue="orders")
def quote(ctx: Context, n: int):
    mark("quote")
    with ctx.tx() as connection:
        connection.execute("insert into seen values ('1')")
        ctx.arrive_with({"price": n})
"""


@pytest.mark.parametrize("is_async", [False, True])
def test_effects_ack_reply_and_follower_are_one_commit(
    start: StartWorker,
    client: PgQueue,
    db: psycopg.Connection,
    seen: Callable[[], list[Any]],
    *,
    is_async: bool,
) -> None:
    client.configure_queue("orders", {"max_reads": 1})
    app = IN_ONE_COMMIT
    if is_async:
        app = app.replace("def quote", "async def quote").replace("with ctx", "async with ctx")
        app = app.replace("connection.exec", "await connection.exec")
    handle = reply.request(client, reply.chain(call("quote", n=3), on_success=call("unheard", n=4)))
    start(app)
    assert handle.result(15) == {"price": 3}
    assert seen() == [1]
    (follower,) = client.peek("orders")
    assert follower.message["kwargs"] == {"n": 4, "_pg_result": {"price": 3}}


def test_effects_are_rolled_back_where_the_follower_cant_be_sent(
    start: StartWorker, client: PgQueue, db: psycopg.Connection, seen: Callable[[], list[Any]], kind: Kind
) -> None:
    client.configure_queue(
        "orders", {"max_reads": 1, "backoff": {"base": 0.1, "factor": 1, "cap": 1, "jitter": 0}}
    )
    client.create_queue("mails", kind)
    handle = reply.request(client, reply.chain(call("quote", n=3), on_success=send("mails", 1)))
    client.drop_queue("mails")
    worker = start(IN_ONE_COMMIT)
    with pytest.raises(ReplyFailed, match=r"ContinuationFailed.*does not exist"):
        handle.result(20)
    assert (seen(), worker.marked("quote")) == ([], 1)


def test_a_chain_to_a_queue_that_is_not_there_is_refused_at_the_send(client: PgQueue) -> None:
    with pytest.raises(QueueNotFound, match="mails"):
        client.run(reply.chain(call("quote", n=1), on_success=send("mails", 1)))
    assert client.peek("orders") == []
