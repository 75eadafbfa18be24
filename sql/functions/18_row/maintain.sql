create or replace function pgqueue.maintain__template_queue()
returns table (moved integer, truncated boolean)
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
-- A queue of kind row needs no upkeep beside autovacuum, but that the steps of messages that are gone are removed.
-- Returns: one row: no message was moved, nothing truncated. Writes, locks: as forget_steps.
begin
    perform pgqueue.forget_steps__template_queue();
    return query select 0, false;
end
$$;
