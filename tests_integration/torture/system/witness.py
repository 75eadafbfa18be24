"""The server's own witness of barriers, claims and leaders: triggers that note each turn of them, in the same transaction.

A callback is noted where its message is written, together with how many parts were open at that moment. So the checker
needs to believe nothing of what the library says about itself.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import psycopg

from tests_integration.torture.system.recorder import micros, write_lines

TABLES = """
create table torture.coordination (
    seq bigserial, what text not null, at timestamptz not null default pgqueue.clock(), told jsonb not null);
create function torture.us(moment timestamptz) returns bigint language sql immutable as
$$ select (extract(epoch from moment) * 1000000)::bigint $$;

create function torture.note_turn() returns trigger language plpgsql as $$
begin
    if tg_op = 'UPDATE' and old.state = new.state then
        return null;
    end if;
    insert into torture.coordination (what, told) values ('turn', jsonb_build_object(
        'generation', new.generation, 'from', case when tg_op = 'UPDATE' then old.state end, 'to', new.state));
    return null;
end $$;
create trigger note_turn after insert or update on pgqueue.barrier for each row execute function torture.note_turn();

create function torture.note_fired() returns trigger language plpgsql as $$
declare
    v_generation constant bigint := new.headers #>> '{pgqueue-barrier,generation}';
begin
    insert into torture.coordination (what, told) values ('fired', jsonb_build_object(
        'generation', v_generation, 'queue', tg_argv[0], 'msg_id', new.msg_id, 'uid', new.message #>> '{kwargs,uid}',
        'open', (select count(*) from pgqueue.barrier_part p where p.generation = v_generation and p.state = 'open')));
    return null;
end $$;

create function torture.note_claim() returns trigger language plpgsql as $$
begin
    if tg_op = 'DELETE' then
        new := old;
        new.state := 'forgotten';
    end if;
    insert into torture.coordination (what, told) values ('claim', jsonb_build_object(
        'name', new.name, 'key', new.key, 'token', new.token, 'state', new.state, 'holder', new.holder,
        'db_from', torture.us(new.claimed_at), 'db_until', torture.us(new.expires_at)));
    return null;
end $$;
create trigger note_claim after insert or update or delete on pgqueue.claim for each row execute function torture.note_claim();

create function torture.note_leader() returns trigger language plpgsql as $$
begin
    insert into torture.coordination (what, told) values ('lead', jsonb_build_object(
        'name', new.name, 'holder', new.holder, 'token', new.token, 'db_from', torture.us(new.elected_at),
        'db_renewed', torture.us(new.renewed_at), 'db_until', torture.us(new.expires_at)));
    return null;
end $$;
create trigger note_leader after insert or update on pgqueue.leader for each row execute function torture.note_leader();

create function torture.note_sweep() returns trigger language plpgsql as $$
begin
    if tg_op = 'INSERT' or old.began_at <> new.began_at or old.token <> new.token then
        insert into torture.coordination (what, told) values ('sweep', jsonb_build_object(
            'chore', new.chore, 'token', new.token, 'db_began', torture.us(new.began_at)));
    end if;
    return null;
end $$;
create trigger note_sweep after insert or update on pgqueue.sweep for each row execute function torture.note_sweep();
"""
FIRED = """
create trigger note_fired after insert on pgqueue.{table} for each row when (new.headers ? 'pgqueue-barrier')
execute function torture.note_fired('{queue}')
"""
EVENTS = "select seq, what, at, told from torture.coordination order by seq"
BARRIERS = """
select b.generation, b.key, b.state, b.policy, b.callback #>> '{message,kwargs,uid}', b.on_failure #>> '{message,kwargs,uid}',
       torture.us(b.deadline_at), torture.us(b.ended_at), coalesce(b.reason, ''),
       coalesce((select jsonb_agg(jsonb_build_array(p.part, p.queue, p.msg_id, p.state) order by p.part)
                 from pgqueue.barrier_part p where p.generation = b.generation), '[]')
from pgqueue.barrier b order by b.generation
"""
COLUMNS = (
    "generation", "key", "state", "policy", "callback_uid", "failure_uid", "db_deadline", "db_ended", "reason", "members",
)  # fmt: skip
LIVE = "select count(*) from pgqueue.barrier where state = 'live'"


def install(connection: psycopg.Connection[Any], queues: list[str]) -> None:
    """Have everything noted from now on; call it when nobody uses the queues yet."""
    connection.execute(TABLES.encode())
    for queue, tables in tables_of(connection, queues).items():
        for table in tables:
            connection.execute(FIRED.format(table=table, queue=queue).encode())


def tables_of(connection: psycopg.Connection[Any], queues: list[str]) -> dict[str, list[str]]:
    """Name the tables that messages of each queue lie in."""
    query = (
        "select relname from pg_class where relnamespace = 'pgqueue'::regnamespace and relkind = 'r'"
        " and relname ~ %s order by 1"
    )
    return {
        queue: [name for (name,) in connection.execute(query, [f"^[lmr]_{queue}$"]).fetchall()]
        for queue in queues
    }


def live(connection: psycopg.Connection[Any]) -> int:
    """Return how many barriers have not ended."""
    row = connection.execute(LIVE).fetchone()
    assert row is not None
    found: int = row[0]
    return found


def write(connection: psycopg.Connection[Any], folder: Path) -> None:
    """Write what was noted, and every barrier with its parts as they are in the end."""
    write_lines(
        folder / "coordination.jsonl",
        [
            {"seq": seq, "what": what, "db_at": micros(at)} | told
            for seq, what, at, told in connection.execute(EVENTS)
        ],
    )
    write_lines(
        folder / "barriers.jsonl",
        [dict(zip(COLUMNS, row, strict=True)) for row in connection.execute(BARRIERS)],
    )
