create or replace function pgqueue.send(queue text, message jsonb, headers jsonb default null, delay interval default '0', key text default null,
                                        group_key text default null, priority integer default 0)
returns bigint
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
-- Put one message into a queue, by name; it exists if and only if the caller's transaction commits.
-- Returns: its msg_id; with a key used within the window, the first one's. Writes, locks: as send__<queue>.
-- Raises: PQ001, PQ002, PQ003, PQ006.
declare
    v_result bigint;
begin
    perform pgqueue.require_queue(queue);
    execute format('select pgqueue.%I($1, $2, $3, $4, $5, $6)', 'send__' || queue) into v_result using message, headers, delay, key, group_key, priority;
    return v_result;
end
$$;
