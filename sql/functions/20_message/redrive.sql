create or replace function pgqueue.redrive(queue text, msg_ids bigint[] default null)
returns table (old_id bigint, new_id bigint)
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
-- Send dead letters again as new messages, by name; null: all that were not redriven before.
-- Returns: old and new id. Writes, locks: as redrive__<queue>. Raises: PQ001, PQ002.
begin
    perform pgqueue.require_queue(queue);
    return query execute format('select * from pgqueue.%I($1)', 'redrive__' || queue) using msg_ids;
end
$$;
