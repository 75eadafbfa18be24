create or replace function pgqueue.send_batch(queue text, messages jsonb[], headers jsonb[] default null, delay interval default '0', keys text[] default null,
                                              group_keys text[] default null, priority integer default 0)
returns setof bigint
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
-- Put many messages into a queue, by name, all or none.
-- Returns: the ids in the order of the input. Writes, locks: as send_batch__<queue>.
-- Raises: PQ001, PQ002, PQ003, PQ006.
begin
    perform pgqueue.require_queue(queue);
    return query execute format('select * from pgqueue.%I($1, $2, $3, $4, $5, $6)', 'send_batch__' || queue) using messages, headers, delay, keys, group_keys, priority;
end
$$;
