create or replace function pgqueue.retry_batch(queue text, msg_ids bigint[], delays interval[], errors text[] default null, receipts bigint[] default null)
returns table (msg_id bigint, outcome text)
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
-- Give many leases back, each to be seen again after its delay, by name.
-- Returns: done, gone or stale for each distinct id. Writes, locks: as retry_batch__<queue>. Raises: PQ001, PQ002.
begin
    perform pgqueue.require_queue(queue);
    return query execute format('select * from pgqueue.%I($1, $2, $3, $4)', 'retry_batch__' || queue) using msg_ids, delays, errors, receipts;
end
$$;
