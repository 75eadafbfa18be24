create or replace function pgqueue.pause_of(queue text)
returns table (paused_at timestamptz, paused_by text, reason text, until timestamptz)
language sql stable security definer
set search_path = pg_catalog, pg_temp
as $$
-- Whether a queue is paused: what a worker asks every few seconds, and what the view queues shows.
-- Returns: a row while it is, else none.
select p.paused_at, p.paused_by, p.reason, p.until
from pgqueue.paused_queue p, (select pgqueue.clock() as now) c
where p.queue = $1 and (p.until is null or p.until > c.now)
$$;
