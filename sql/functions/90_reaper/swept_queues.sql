create or replace function pgqueue.swept_queues()
returns setof text
language sql stable security definer
set search_path = pg_catalog, pg_temp
as $$
-- Returns: the names of all queues, without counting what they hold.
select q.queue from pgqueue.queue q order by q.queue
$$;
