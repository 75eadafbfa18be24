create or replace function pgqueue.release__template_queue(msg_id bigint, receipt bigint default null)
returns text
language sql security definer
set search_path = pg_catalog, pg_temp
as $$
-- Give one lease back: visible at once, not counted against max_reads.
-- Returns: done, gone or stale. Writes, locks, raises: as release_batch.
select b.outcome from pgqueue.release_batch__template_queue(array[$1], case when $2 is not null then array[$2] end) b
$$;
