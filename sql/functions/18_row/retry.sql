create or replace function pgqueue.retry__template_queue(msg_id bigint, delay interval, error text default null, receipt bigint default null)
returns text
language sql security definer
set search_path = pg_catalog, pg_temp
as $$
-- Give one lease back and show the message again after delay; the error stays with it.
-- Returns: done, gone or stale. Writes, locks, raises: as retry_batch.
select b.outcome from pgqueue.retry_batch__template_queue(array[$1], array[$2], array[$3], case when $4 is not null then array[$4] end) b
$$;
