create or replace function pgqueue.read_or_await(queue text, wait interval, vt interval default null, qty integer default 1, filter jsonb default null,
                                                 holder text default null)
returns setof pgqueue.message
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
-- Read a queue, by name; when there is nothing, let senders ring for the next `wait` (to 1 h).
-- Returns: 0 .. qty messages under one receipt. Writes, locks: as read_or_await__<queue>. Raises: PQ001, PQ002.
begin
    perform pgqueue.require_queue(queue);
    return query execute format('select * from pgqueue.%I($1, $2, $3, $4, $5)', 'read_or_await__' || queue) using wait, vt, qty, filter, holder;
end
$$;
