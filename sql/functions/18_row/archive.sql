create or replace function pgqueue.archive__template_queue(msg_id bigint, receipt bigint default null)
returns text
language sql security definer
set search_path = pg_catalog, pg_temp
as $$
-- Ack one message and keep it in the archive.
-- Returns: done, gone or stale. Writes, locks, raises: as archive_batch.
select b.outcome from pgqueue.archive_batch__template_queue(array[$1], case when $2 is not null then array[$2] end) b
$$;
