create or replace function pgqueue.release_batch(queue text, msg_ids bigint[], receipts bigint[] default null, delays interval[] default null)
returns table (msg_id bigint, outcome text)
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
-- Give many leases back, visible at once or after its delay, and not counted, by name; each fenced by its own receipt.
-- Returns: done, gone or stale for each distinct id. Writes, locks: as release_batch__<queue>. Raises: PQ001, PQ002.
begin
    perform pgqueue.require_queue(queue);
    return query execute format('select * from pgqueue.%I($1, $2, $3)', 'release_batch__' || queue) using msg_ids, receipts, delays;
end
$$;
