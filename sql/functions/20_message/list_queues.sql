create or replace function pgqueue.list_queues()
returns setof pgqueue.queues
language sql stable security definer
set search_path = pg_catalog, pg_temp
as $$
-- Every queue there is.
-- Returns: rows of the view queues, by name.
select q.* from pgqueue.queues q order by q.queue
$$;
