create or replace function pgqueue.read(queue text, vt interval default null, qty integer default 1, filter jsonb default null, holder text default null)
returns setof pgqueue.message
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
-- Lease up to qty visible messages of a queue, by name, in claim order: priority, vt, msg_id.
-- Returns: 0 .. qty messages under one receipt. Writes, locks: as read__<queue>.
-- Raises: PQ001, PQ002.
begin
    perform pgqueue.require_queue(queue);
    return query execute format('select * from pgqueue.%I($1, $2, $3, $4)', 'read__' || queue) using vt, qty, filter, holder;
end
$$;
