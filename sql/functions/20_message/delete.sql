create or replace function pgqueue.delete(queue text, msg_id bigint, receipt bigint default null)
returns text
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
-- Ack one message, by name. Without a receipt it is not fenced.
-- Returns: done, gone or stale. Writes, locks: as delete__<queue>. Raises: PQ001, PQ002.
declare
    v_result text;
begin
    perform pgqueue.require_queue(queue);
    execute format('select pgqueue.%I($1, $2)', 'delete__' || queue) into v_result using msg_id, receipt;
    return v_result;
end
$$;
