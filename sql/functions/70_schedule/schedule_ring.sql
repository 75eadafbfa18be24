create or replace function pgqueue.schedule_ring(queue text)
returns boolean
language sql security definer
set search_path = pg_catalog, pg_temp
as $$
-- Wake who waits for what a schedule has sent: after the commit, in a transaction of its own. A scheduler may ring, also where it may
-- not send.
-- Returns: whether somebody waited. Writes: as ring__<queue>.
select case when to_regproc(format('pgqueue.%I', 'ring__' || $1)) is null then false else pgqueue.ring($1) end
$$;
