create or replace function pgqueue.maintain__template_queue()
returns table (moved integer, truncated boolean)
language sql security definer
set search_path = pg_catalog, pg_temp
as $$
-- A queue of kind row needs no upkeep of its own: autovacuum is enough.
-- Returns: one row of nothing done.
select 0, false
$$;
