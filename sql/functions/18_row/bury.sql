create or replace function pgqueue.bury__template_queue(msg_id bigint, reason text, error text default null, receipt bigint default null)
returns text
language sql security definer
set search_path = pg_catalog, pg_temp
as $$
-- Move one message to the dead letters.
-- Returns: done, gone or stale. Writes, locks, raises: as bury_batch.
select b.outcome from pgqueue.bury_batch__template_queue(array[$1], array[$2], array[$3], case when $4 is not null then array[$4] end) b
$$;
