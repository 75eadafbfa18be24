create or replace function pgqueue.bury(queue text, msg_id bigint, reason text, error text default null, receipt bigint default null)
returns text
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
-- Move one message to the dead letters, by name.
-- Returns: done, gone or stale. Writes, locks: as bury__<queue>. Raises: PQ001, PQ002.
declare
    v_result text;
begin
    perform pgqueue.require_queue(queue);
    execute format('select pgqueue.%I($1, $2, $3, $4)', 'bury__' || queue) into v_result using msg_id, reason, error, receipt;
    return v_result;
end
$$;
