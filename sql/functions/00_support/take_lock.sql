create or replace function pgqueue.take_lock(queue text)
returns bigint
language sql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
-- The advisory lock under which readers of one log move its cursor, for microseconds each.
-- Returns: the lock's number.
select hashtextextended('take/' || $1, 7046029254386353087)
$$;
