create or replace function pgqueue.pop(queue text, qty integer default 1)
returns setof pgqueue.message
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
-- Read and delete at once, by name: at most once.
-- Returns: 0 .. qty messages in claim order. Writes, locks: as pop__<queue>.
-- Raises: PQ001, PQ002.
begin
    perform pgqueue.require_queue(queue);
    return query execute format('select * from pgqueue.%I($1)', 'pop__' || queue) using qty;
end
$$;
