create or replace function pgqueue.archive(queue text, msg_id bigint, receipt bigint default null)
returns text
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
-- Ack one message and keep it in the archive, by name. Without a receipt it is not fenced.
-- Returns: done, gone or stale. Writes, locks: as archive__<queue>. Raises: PQ001, PQ002.
declare
    v_result text;
begin
    perform pgqueue.require_queue(queue);
    execute format('select pgqueue.%I($1, $2)', 'archive__' || queue) into v_result using msg_id, receipt;
    return v_result;
end
$$;
