create or replace function pgqueue.archive_batch__template_log(msg_ids bigint[], receipts bigint[] default null)
returns table (msg_id bigint, outcome text)
language plpgsql security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set enable_bitmapscan = off
set enable_sort = off
as $$
-- Ack many messages and keep them in the archive: those in the log move to the row side with their lease, and the
-- row kind's verb does the rest.
-- Returns: done, gone or stale for each distinct id. Writes, locks: as adopt, then as the row kind. Raises: PQ002.
begin
    perform pgqueue.check_batch(msg_ids, receipts);
    perform pgqueue.adopt__template_log(msg_ids, receipts);
    return query select b.msg_id, b.outcome from pgqueue.row_archive_batch__template_log(msg_ids, receipts) b;
end
$$;
