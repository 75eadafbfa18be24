create or replace function pgqueue.is_awaited(queue text)
returns boolean
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
-- Say whether somebody waits for a message of a queue, by name.
-- Returns: true, and a sender rings after its commit. Raises: PQ001.
declare
    v_result boolean;
begin
    perform pgqueue.require_queue(queue);
    execute format('select pgqueue.%I()', 'is_awaited__' || queue) into v_result;
    return v_result;
end
$$;
