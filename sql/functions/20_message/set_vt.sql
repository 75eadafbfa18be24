create or replace function pgqueue.set_vt(queue text, msg_id bigint, vt interval, receipt bigint default null)
returns text
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
-- Move one message's vt to vt from now, by name.
-- Returns: done, gone or stale. Writes, locks: as set_vt__<queue>. Raises: PQ001, PQ002.
declare
    v_result text;
begin
    perform pgqueue.require_queue(queue);
    execute format('select pgqueue.%I($1, $2, $3)', 'set_vt__' || queue) into v_result using msg_id, vt, receipt;
    return v_result;
end
$$;
