create or replace function pgqueue.bury_batch(queue text, msg_ids bigint[], reasons text[], errors text[] default null, receipts bigint[] default null)
returns table (msg_id bigint, outcome text)
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
-- Move many messages to the dead letters, by name.
-- Returns: done, gone or stale for each distinct id. Writes, locks: as bury_batch__<queue>. Raises: PQ001, PQ002.
begin
    perform pgqueue.require_queue(queue);
    return query execute format('select * from pgqueue.%I($1, $2, $3, $4)', 'bury_batch__' || queue) using msg_ids, reasons, errors, receipts;
end
$$;
