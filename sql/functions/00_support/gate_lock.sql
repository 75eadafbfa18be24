create or replace function pgqueue.gate_lock(queue text)
returns bigint
language sql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
-- The advisory lock under which readers of a queue with a limit count and claim, one after the other, each until its commit. It stands
-- outside of the lock order of lock_ddl(): nobody waits for it longer than 100 ms.
-- Returns: the lock's number.
select hashtextextended('gate/' || $1, 7046029254386353087)
$$;
