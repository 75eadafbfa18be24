create or replace function pgqueue.barrier_ring(queues text[] default '{}', generations bigint[] default '{}')
returns boolean
language sql security definer
set search_path = pg_catalog, pg_temp
as $$
-- Wake who waits for the parts in these queues, or for what these barriers have sent at their end: after the commit, in a
-- transaction of its own.
-- Returns: whether somebody waited. Writes: as ring__<queue>.
select coalesce(bool_or(pgqueue.ring(r.queue)), false)
from (select q.queue from unnest($1) q(queue)
      union select b.callback_queue from pgqueue.barrier b where b.generation = any ($2)) r
where to_regproc('pgqueue.' || quote_ident('ring__' || r.queue)) is not null  -- null: that barrier has sent nothing yet
$$;
