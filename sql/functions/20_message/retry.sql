create or replace function pgqueue.retry(queue text, msg_id bigint, delay interval, error text default null, receipt bigint default null)
returns text
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
-- Give one lease back, to be seen again after delay, with what went wrong, by name.
-- Returns: done, gone or stale. Writes, locks: as retry__<queue>. Raises: PQ001, PQ002.
declare
    v_result text;
begin
    perform pgqueue.require_queue(queue);
    execute format('select pgqueue.%I($1, $2, $3, $4)', 'retry__' || queue) into v_result using msg_id, delay, error, receipt;
    return v_result;
end
$$;
