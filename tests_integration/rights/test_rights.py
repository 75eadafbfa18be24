"""Who may do what: every function, table and view against every role."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import psycopg
import pytest

from tests_integration.fixtures.database import Database
from tests_integration.fixtures.verbs import (
    KINDS,
    Queue,
    configure_queue,
    create_queue,
    refused,
    rows,
    scalar,
)

ROLES = ("producer", "consumer", "operator", "observer")
SEND = {"send", "send_batch", "is_awaited", "ring"}
CONSUME = {"read", "read_or_await", "pop", "begin_step", "maintain"} | {
    verb + end
    for verb in ("delete", "archive", "release", "set_vt", "retry", "bury")
    for end in ("", "_batch")
}
OPERATE = {
    "create_queue",
    "drop_queue",
    "purge_queue",
    "configure_queue",
    "pause_queue",
    "resume_queue",
    "redrive",
}
LOOK = {"list_queues", "metrics", "depth", "clock", "queue_settings", "pause_of"}
EVERYBODY = {
    "schema_version",
    "require_queue",
    "effective_settings",
    "default_settings",
    "fault",
    "quoted",
    "check_queue_name",
}
ARM = {"barrier_arm", "barrier_add", "request", "chain"}
COORDINATE = {
    "barrier_abort",
    "barrier_ring",
    "try_claim",
    "renew_claim",
    "finish_claim",
    "release_claim",
    "claim_wait",
    "get_reply",
}
END = {"forget_claims", "ack_with", "forget_replies"} | {
    f"barrier_{verb}" for verb in ("arrive", "fail", "ack", "bury", "callback", "finish", "sweep", "forget")
}
RESULTS = {"barrier_results", "barrier_missing"}
SCHEDULE = {f"{verb}_schedule" for verb in ("set", "pause", "resume", "delete")} | {"fire_schedule_now"}
FIRE = {"due_schedules", "fire_schedule", "disable_schedule", "schedule_ring"}
LEAD = {
    "try_lead",
    "renew_lead",
    "resign_lead",
    "begin_sweep",
    "end_sweep",
    "swept_queues",
    "forget_finished",
}
FUNCTIONS = {
    "producer": SEND | ARM | COORDINATE | EVERYBODY,
    "consumer": CONSUME | END | LEAD | FIRE | COORDINATE | RESULTS | LOOK | EVERYBODY,
    "observer": {"peek"} | RESULTS | LOOK | EVERYBODY,
    "operator": SEND
    | ARM
    | CONSUME
    | END
    | LEAD
    | SCHEDULE
    | FIRE
    | COORDINATE
    | OPERATE
    | {"peek"}
    | RESULTS
    | LOOK
    | EVERYBODY,
}
CLONED = SEND | CONSUME | {"redrive", "depth"}
VIEWS = {
    "messages",
    "dead_letters",
    "queues",
    "step",
    "barriers",
    "claims",
    "replies",
    "schedules",
    "leaders",
    "sweeps",
    "migration",
}
RELATIONS = {
    "producer": set[str](),
    "consumer": set[str](),
    "observer": VIEWS | {"q_orders", "a_orders", "d_orders", "q_later", "a_later", "d_later"},
    "operator": VIEWS | {"q_orders", "a_orders", "d_orders", "q_later", "a_later", "d_later"},
}
WRITES = ("insert", "update", "delete", "truncate", "references", "trigger")


@pytest.fixture
def stranger(db: psycopg.Connection) -> Iterator[str]:
    """Make a role that has only what PUBLIC has; roles belong to the whole server."""
    name = f"stranger_{scalar(db, 'select pg_backend_pid()')}"
    db.execute(f"create role {name} nologin".encode())
    yield name
    db.execute(f"drop role {name}".encode())


@pytest.fixture(params=KINDS)
def queues(request: pytest.FixtureRequest, db: psycopg.Connection) -> psycopg.Connection:
    """Make `orders`, change it, and make `later` when the rights of the first are long granted."""
    create_queue(db, "orders", request.param)
    configure_queue(db, "orders", vt=31)
    create_queue(db, "later", request.param)
    return db


def executable(db: psycopg.Connection, role: str) -> set[str]:
    return {
        row.proname
        for row in rows(
            db,
            "select p.proname::text from pg_proc p where p.pronamespace = 'pgqueue'::regnamespace"
            " and has_function_privilege(%s, p.oid, 'execute')",
            role,
        )
    }


def with_privilege(db: psycopg.Connection, role: str, privilege: str) -> set[str]:
    return {
        row.relname
        for row in rows(
            db,
            "select c.relname::text from pg_class c where c.relnamespace = 'pgqueue'::regnamespace"
            " and c.relkind in ('r', 'v') and has_table_privilege(%s, c.oid, %s)",
            role,
            privilege,
        )
    }


@pytest.mark.parametrize("role", ROLES)
def test_role_may_execute_exactly_its_verbs(queues: psycopg.Connection, role: str) -> None:
    verbs = FUNCTIONS[role]
    templates = {verb + "__template_queue" for verb in verbs & CLONED}
    clones = {f"{verb}__{queue}" for verb in verbs & CLONED for queue in ("orders", "later")}
    assert executable(queues, f"pgqueue_{role}") - templates == verbs | clones


@pytest.mark.parametrize("role", ROLES)
def test_role_may_select_exactly_its_views_and_write_none(queues: psycopg.Connection, role: str) -> None:
    name = f"pgqueue_{role}"
    own = {seen for seen in with_privilege(queues, name, "select") if "template_queue" not in seen}
    assert own == RELATIONS[role]
    for privilege in WRITES:
        assert with_privilege(queues, name, privilege) == set()
    sequences = rows(
        queues,
        "select c.relname from pg_class c where c.relnamespace = 'pgqueue'::regnamespace"
        " and case when c.relkind = 'S' then has_sequence_privilege(%s, c.oid, 'usage,select,update') end",
        name,
    )
    assert sequences == []


def test_public_may_do_nothing(queues: psycopg.Connection, stranger: str) -> None:
    assert scalar(queues, "select has_schema_privilege(%s, 'pgqueue', 'usage,create')", stranger) is False
    assert executable(queues, stranger) == set()
    for privilege in ("select", *WRITES):
        assert with_privilege(queues, stranger, privilege) == set()


def test_nobody_may_create_in_the_schema(queues: psycopg.Connection) -> None:
    for role in ROLES:
        assert (
            scalar(queues, "select has_schema_privilege(%s, 'pgqueue', 'create')", f"pgqueue_{role}") is False
        )


@pytest.mark.parametrize("stage", ["migrate", "create_queue", "configure_queue"])
def test_nothing_is_granted_to_public_at_any_stage(db: psycopg.Connection, stage: str) -> None:
    if stage != "migrate":
        create_queue(db, "orders")
    if stage == "configure_queue":
        configure_queue(db, "orders", vt=31)
    # a null acl is the default, which for functions is: everybody may execute
    open_functions = rows(
        db,
        "select p.oid::regprocedure::text from pg_proc p where p.pronamespace = 'pgqueue'::regnamespace"
        " and (p.proacl is null or exists (select from aclexplode(p.proacl) a where a.grantee = 0))",
    )
    assert open_functions == []
    open_relations = rows(
        db,
        "select c.relname from pg_class c, aclexplode(c.relacl) a"
        " where c.relnamespace = 'pgqueue'::regnamespace and a.grantee = 0",
    )
    assert open_relations == []


def test_functions_with_the_owners_rights_pin_their_search_path(queues: psycopg.Connection) -> None:
    loose = rows(
        queues,
        "select p.oid::regprocedure::text from pg_proc p where p.pronamespace = 'pgqueue'::regnamespace"
        " and p.prosecdef and not coalesce('search_path=pg_catalog, pg_temp' = any (p.proconfig), false)",
    )
    assert loose == []
    assert (
        scalar(queues, "select count(*) from pg_proc where prosecdef and proname like '%\\_\\_orders'") > 15
    )


def acting_as(database: Database, role: str) -> psycopg.Connection:
    session = database.connect()
    session.execute(f"set session authorization {role}".encode())
    return session


ACTIONS: dict[str, Callable[[Queue], object]] = {
    "send": lambda queue: queue.send(),
    "send with key and group": lambda queue: queue.send(key="k", **queue.ranked(group_key="g")),
    "send_batch": lambda queue: queue.send_many(2),
    "is_awaited": lambda queue: queue.call("is_awaited"),
    "ring": lambda queue: queue.call("ring"),
    "read": lambda queue: queue.read(),
    "read_or_await": lambda queue: queue.rows("read_or_await", wait="1 s"),
    "pop": lambda queue: queue.rows("pop"),
    "delete": lambda queue: queue.call("delete", msg_id=1),
    "delete_batch": lambda queue: queue.rows("delete_batch", msg_ids=[1]),
    "archive": lambda queue: queue.call("archive", msg_id=1),
    "release": lambda queue: queue.call("release", msg_id=1),
    "set_vt": lambda queue: queue.call("set_vt", msg_id=1, vt="1 s"),
    "set_vt_batch": lambda queue: queue.rows("set_vt_batch", msg_ids=[1], vt="1 s"),
    "retry": lambda queue: queue.call("retry", msg_id=1, delay="0"),
    "bury": lambda queue: queue.call("bury", msg_id=1, reason="x"),
    "redrive": lambda queue: queue.rows("redrive"),
}
PLAIN = {
    "peek": "select * from pgqueue.peek('orders')",
    "metrics": "select * from pgqueue.metrics('orders')",
    "list_queues": "select * from pgqueue.list_queues()",
    "create_queue": "select pgqueue.create_queue('fresh')",
    "drop_queue": "select pgqueue.drop_queue('later', true)",
    "purge_queue": "select pgqueue.purge_queue('orders')",
    "configure_queue": "select pgqueue.configure_queue('orders', '{}')",
    "view messages": "select * from pgqueue.messages",
    "view dead_letters": "select * from pgqueue.dead_letters",
    "view queues": "select * from pgqueue.queues",
    "view q_": "select * from pgqueue.q_orders",
    "table a_": "select * from pgqueue.a_orders",
    "table r_": "select * from pgqueue.r_orders",
    "table k_": "select * from pgqueue.k_orders",
    "insert": "insert into pgqueue.queue values ('x', 'row', '{}', clock_timestamp())",
    "template": "select pgqueue.send__template_queue('1')",
    "sequence": "select nextval('pgqueue.s_orders')",
    "sequence of the doorbell": "select setval('pgqueue.w_orders', 1)",
}
WORKS = {
    "producer": {"send", "send with key and group", "send_batch", "is_awaited", "ring"},
    "consumer": set(ACTIONS)
    - {"send", "send with key and group", "send_batch", "is_awaited", "ring", "redrive"}
    | {"metrics", "list_queues"},
    "observer": {"peek", "metrics", "list_queues", "table a_"} | {name for name in PLAIN if "view" in name},
    "operator": set(ACTIONS)
    | (set(PLAIN) - {"table r_", "table k_", "insert", "sequence", "sequence of the doorbell"}),
}


@pytest.mark.parametrize("role", ROLES)
def test_what_a_role_can_do_works_and_the_rest_is_refused(
    database: Database, queues: psycopg.Connection, role: str
) -> None:
    Queue(queues).send()
    kind = scalar(queues, "select kind from pgqueue.queue where queue = 'orders'")
    session = acting_as(database, f"pgqueue_{role}")
    works: set[str] = set()
    for name, action in ACTIONS.items():
        answers = []
        for way in ("by name", "through its clone"):
            try:
                action(Queue(session, "orders", way, kind))
                answers.append(True)
            except psycopg.errors.InsufficientPrivilege:
                answers.append(False)
        assert len(set(answers)) == 1, f"{name}: allowed one way, refused the other"
        works |= {name} if answers[0] else set()
    for name, statement in PLAIN.items():
        try:
            session.execute(statement.encode())
            works.add(name)
        except psycopg.errors.InsufficientPrivilege:
            pass
    assert works - {"template"} == WORKS[role] - {"template"}


def test_stranger_is_refused_everything(
    database: Database, queues: psycopg.Connection, stranger: str
) -> None:
    session = acting_as(database, stranger)
    for action in ACTIONS.values():
        for way in ("by name", "through its clone"):
            refused("42501", lambda a=action, w=way: a(Queue(session, "orders", w)))  # type: ignore[misc]
    for statement in PLAIN.values():
        refused("42501", lambda s=statement: session.execute(s.encode()))  # type: ignore[misc]


def test_archive_names_who_archived(database: Database, queues: psycopg.Connection) -> None:
    Queue(queues).send()
    Queue(acting_as(database, "pgqueue_consumer")).call("archive", msg_id=1)
    assert scalar(queues, "select archived_by from pgqueue.a_orders") == "pgqueue_consumer"


def test_queue_made_by_an_operator_belongs_to_the_owner_of_the_schema(
    database: Database, queues: psycopg.Connection
) -> None:
    create_queue(acting_as(database, "pgqueue_operator"), "fresh")
    owners = rows(
        queues,
        "select distinct pg_get_userbyid(c.relowner) as owner from pg_class c where c.relname ~ '_fresh'"
        " union select distinct pg_get_userbyid(p.proowner) from pg_proc p where p.proname ~ '__fresh'",
    )
    schema_owner = scalar(
        queues, "select pg_get_userbyid(nspowner) from pg_namespace where nspname = 'pgqueue'"
    )
    assert [row.owner for row in owners] == [schema_owner]
    assert Queue(acting_as(database, "pgqueue_producer"), "fresh").send() == 1
