create or replace function pgqueue.archive_batch(queue text, msg_ids bigint[], receipts bigint[] default null)
returns table (msg_id bigint, outcome text)
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
-- Ack many messages and keep it in the archive, by name; each fenced by its own receipt.
-- Returns: done, gone or stale for each distinct id. Writes, locks: as archive_batch__<queue>. Raises: PQ001, PQ002.
begin
    perform pgqueue.require_queue(queue);
    return query execute format('select * from pgqueue.%I($1, $2)', 'archive_batch__' || queue) using msg_ids, receipts;
end
$$;
