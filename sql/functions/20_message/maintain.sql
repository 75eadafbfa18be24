create or replace function pgqueue.maintain(queue text)
returns table (moved integer, truncated boolean)
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
-- One bounded step of upkeep, by name; safe to repeat, from any number of sessions, each in a transaction of its own. No message
-- waits for it: it keeps a log queue small and quick.
-- Returns: one row. Writes, locks: as maintain__<queue>. Raises: PQ001, PQ002.
begin
    perform pgqueue.require_queue(queue);
    return query execute format('select * from pgqueue.%I()', 'maintain__' || queue);
end
$$;
