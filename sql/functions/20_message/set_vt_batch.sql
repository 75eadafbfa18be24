create or replace function pgqueue.set_vt_batch(queue text, msg_ids bigint[], vt interval, receipts bigint[] default null)
returns table (msg_id bigint, outcome text)
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
-- Renew many leases, by name; locked rows are left out and answer busy.
-- Returns: done, gone, stale or busy for each distinct id. Writes, locks: as set_vt_batch__<queue>. Raises: PQ001, PQ002.
begin
    perform pgqueue.require_queue(queue);
    return query execute format('select * from pgqueue.%I($1, $2, $3)', 'set_vt_batch__' || queue) using msg_ids, vt, receipts;
end
$$;
