"""The server's own witness: wrappers around the clones of a queue that note what was done, in the same transaction.

What a transaction loses, its notes lose with it: the audit says what the server knows, the history what was seen.
"""

from __future__ import annotations

from typing import Any

import psycopg

TABLES = """
create schema torture;
create table torture.effects (
    seq bigserial, uid text, queue text, msg_id bigint, receipt bigint, at timestamptz default pgqueue.clock());
create table torture.audit (
    seq bigserial, queue text, verb text, msg_id bigint, receipt bigint, at timestamptz, until timestamptz,
    read_ct integer, release_ct integer);
create index on torture.audit (msg_id);
create table torture.unrelated (n bigint);
"""
READS = ("read",)
SETTLING = ("delete", "archive", "retry", "release", "bury", "set_vt")
# The new end of the lease, where the verb sets one: rather too early than too late, also for an id that is given twice.
_DELAY = "(select min(delays[x.n]) from unnest(msg_ids) with ordinality x(id, n) where x.id = e.msg_id)"
UNTIL = {
    "set_vt": "v_now + vt",
    "retry": f"v_now + {_DELAY}",
    "release": f"v_now + coalesce({_DELAY}, '0')",
}

READ = """
begin
    return query
    with got as materialized (select * from pgqueue.{inner}({arguments})),
    noted as (
        insert into torture.audit (queue, verb, msg_id, receipt, at, until, read_ct, release_ct)
        select '{queue}', 'claim', g.msg_id, g.receipt, g.last_read_at, g.vt, g.read_ct, g.release_ct from got g)
    select g.* from got g;
end"""
BATCH = """
declare
    v_now constant timestamptz := pgqueue.clock();
begin
    return query
    with ended as materialized (select o.msg_id, o.outcome from pgqueue.{inner}({arguments}) o),
    noted as (
        insert into torture.audit (queue, verb, msg_id, receipt, at, until)
        select distinct on (e.msg_id) '{queue}', '{verb}', e.msg_id,
               receipts[case when cardinality(receipts) = 1 then 1 else u.n end], pgqueue.clock(), {until}
        from ended e join unnest(msg_ids) with ordinality u(id, n) on u.id = e.msg_id
        where e.outcome = 'done'
        order by e.msg_id, (  -- an id that is given twice, with an old receipt and the newest one
            select max(a.seq) from torture.audit a
            where a.queue = '{queue}' and a.msg_id = e.msg_id and a.verb = 'claim' and a.receipt = receipts[u.n]) desc nulls last)
    select e.msg_id, e.outcome from ended e;
end"""
SINGLE = """
declare
    v_now constant timestamptz := pgqueue.clock();
    v_outcome constant text := pgqueue.{inner}({arguments});
begin
    if v_outcome = 'done' then
        insert into torture.audit (queue, verb, msg_id, receipt, at, until)
        values ('{queue}', '{verb}', msg_id, receipt, pgqueue.clock(), {until});
    end if;
    return v_outcome;
end"""
HARD_CAP = """
create function torture.note_hard_cap() returns trigger language plpgsql as $$
begin
    insert into torture.audit (queue, verb, msg_id, at, read_ct, release_ct)
    values (tg_argv[0], 'hard_cap', new.msg_id, new.died_at, new.read_ct, new.release_ct);
    return null;
end $$
"""


def install(connection: psycopg.Connection[Any], queues: list[str]) -> None:
    """Wrap every clone that claims or settles; call it when nobody uses the queues yet."""
    connection.execute(HARD_CAP)
    for queue in queues:
        connection.execute(
            f"create trigger note_hard_cap after insert on pgqueue.d_{queue} for each row"
            f" when (new.reason = 'hard_cap') execute function torture.note_hard_cap('{queue}')"
        )
        for name in _audited(connection, queue):
            _wrap(connection, queue, name)


def _audited(connection: psycopg.Connection[Any], queue: str) -> list[str]:
    """Name the clones to wrap: not those that only pass on to another one of them."""
    rows = connection.execute(
        "select proname, prosrc from pg_proc where pronamespace = 'pgqueue'::regnamespace and proname ~ %s",
        [f"^({'|'.join(READS + SETTLING)})(_batch)?__{queue}$"],
    ).fetchall()
    names = [name for name, _ in rows]
    return [name for name, body in rows if not any(f"pgqueue.{other}(" in body for other in names)]


def _wrap(connection: psycopg.Connection[Any], queue: str, name: str) -> None:
    verb = name.removesuffix(f"__{queue}").removesuffix("_batch")
    row = connection.execute(
        "select pg_get_function_arguments(oid), pg_get_function_identity_arguments(oid),"
        " pg_get_function_result(oid), proargnames[1:pronargs]"
        " from pg_proc where pronamespace = 'pgqueue'::regnamespace and proname = %s",
        [name],
    ).fetchone()
    assert row is not None
    arguments, identity, result, names = row
    inner = f"unaudited_{name}"
    passed = ", ".join(f"{one} => {name}.{one}" for one in names)
    template = READ if verb in READS else BATCH if "_batch__" in name else SINGLE
    until = UNTIL.get(verb, "null::timestamptz")
    body = template.format(inner=inner, arguments=passed, queue=queue, verb=verb, until=until)
    connection.execute(f"alter function pgqueue.{name}({identity}) rename to {inner}".encode())
    connection.execute(
        f"create function pgqueue.{name}({arguments}) returns {result} language plpgsql security definer"
        f" set search_path = pg_catalog, pg_temp as $$\n#variable_conflict use_variable{body}\n$$".encode()
    )
