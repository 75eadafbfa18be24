"""Schedules of the load. A minute is the shortest interval of a rule, so theirs pass in two seconds: thirty times as fast.

Only the clock that schedules are read by is sped up. It follows the database's clock, with every step of that, and
begins shortly before the clocks of Europe change.
"""

from __future__ import annotations

from typing import Any

import psycopg
from psycopg.types.json import Jsonb

from tests_integration.torture.system.recorder import payload_hash

SPEED = 30
BASE = "2025-03-30 00:40:00+00"
TASK = "torture.slot"
MOST = 1000
RULES = {  # cron, time zone, what becomes of missed slots
    "each-all": ("* * * * *", "UTC", "all"),
    "each-latest": ("* * * * *", "UTC", "latest"),
    "each-skip": ("* * * * *", "UTC", "skip"),
    "third-all": ("*/3 * * * *", "Europe/Berlin", "all"),
    "listed-latest": ("7,8,9,31,33,52 * * * *", "Europe/Berlin", "latest"),
    "shifted-all": ("*/20 * * * *", "Asia/Kathmandu", "all"),
}
CLOCK = """
create table torture.timetable as
select pgqueue.clock() as start, timestamptz '{base}' as base, {speed} as speed;
create function torture.fast_clock() returns timestamptz language sql stable as
$$ select t.base + (pgqueue.clock() - t.start) * t.speed from torture.timetable t $$;

create function torture.note_slot() returns trigger language plpgsql as $$
begin
    insert into torture.coordination (what, told) values ('slot', jsonb_build_object(
        'schedule', new.headers #>> '{{pgqueue-schedule,schedule}}', 'queue', tg_argv[0], 'msg_id', new.msg_id,
        'slot', torture.us((new.headers #>> '{{pgqueue-schedule,slot}}')::timestamptz)));
    return null;
end $$;

create function torture.note_plan() returns trigger language plpgsql as $$
begin
    insert into torture.coordination (what, told) values ('plan', jsonb_build_object(
        'schedule', new.name, 'next', torture.us(new.next_at), 'fast', torture.us(torture.fast_clock())));
    return null;
end $$;
create trigger note_plan after update on pgqueue.schedule for each row when (old.next_at is distinct from new.next_at)
execute function torture.note_plan();
"""
SLOTS = """
create trigger note_slot after insert on pgqueue.{table} for each row when (new.headers ? 'pgqueue-schedule')
execute function torture.note_slot('{queue}')
"""
READERS = """
select pg_get_functiondef(p.oid) from pg_proc p
where p.pronamespace = 'pgqueue'::regnamespace and p.proname ~ 'schedule' and p.prosrc ~ 'pgqueue\\.clock\\(\\)'
"""
BEHIND = "select exists (select from pgqueue.schedule s where s.next_at is null or s.next_at <= torture.fast_clock())"
STOP = """
insert into torture.coordination (what, told) select 'stop', jsonb_build_object('fast', torture.us(torture.fast_clock()));
select pgqueue.pause_schedule(s.name, 'the load is over') from pgqueue.schedule s
"""
SET = "select pgqueue.set_schedule(%s, %s, %s, %s, timezone => %s, catch_up => %s, catch_up_most => %s)"


def install(connection: psycopg.Connection[Any], queues: list[str], tables: dict[str, list[str]]) -> None:
    """Speed the clock of schedules up and make the schedules; call it when nobody uses the queues yet."""
    connection.execute(CLOCK.format(base=BASE, speed=SPEED).encode())
    readers = connection.execute(READERS.encode()).fetchall()
    assert readers, "no function of schedules reads the clock"
    for (source,) in readers:
        connection.execute(source.replace("pgqueue.clock()", "torture.fast_clock()").encode())
    for queue in queues:
        for table in tables[queue]:
            connection.execute(SLOTS.format(table=table, queue=queue).encode())
    for number, (name, (cron, zone, catch_up)) in enumerate(RULES.items()):
        queue = queues[number % len(queues)]
        connection.execute(SET, [name, queue, cron, Jsonb(payload(name)), zone, catch_up, MOST])


def is_behind(connection: psycopg.Connection[Any]) -> bool:
    """Tell whether a slot has come and was not fired."""
    row = connection.execute(BEHIND).fetchone()
    assert row is not None
    return bool(row[0])


def stop(connection: psycopg.Connection[Any]) -> None:
    """Let no further slot be fired, so that the queues can become empty; note when that was."""
    connection.execute(STOP.encode())


def payload(name: str) -> dict[str, Any]:
    return {"task": TASK, "args": [], "kwargs": {"schedule": name}}


def told(queues: list[str]) -> dict[str, Any]:
    """Say what the checker has to know: the rules, and how fast their clock is."""
    rules = {
        name: {
            "cron": cron,
            "timezone": zone,
            "catch_up": catch_up,
            "queue": queues[number % len(queues)],
            "hash": payload_hash(payload(name)),
        }
        for number, (name, (cron, zone, catch_up)) in enumerate(RULES.items())
    }
    return {"speed": SPEED, "schedules": rules}
