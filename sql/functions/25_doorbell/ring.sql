create or replace function pgqueue.ring(queue text)
returns boolean
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
-- Wake who waits for a message of a queue, by name: after the commit of what was sent, in a transaction of its own.
-- Returns: whether somebody waited. Writes: as ring__<queue>. Raises: PQ001.
declare
    v_result boolean;
begin
    perform pgqueue.require_queue(queue);
    execute format('select pgqueue.%I()', 'ring__' || queue) into v_result;
    return v_result;
end
$$;
