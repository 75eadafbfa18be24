create or replace function pgqueue.begin_step(queue text, msg_id bigint, receipt bigint, step text)
returns text
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
-- Note a step of a message as done, by name: first in the transaction that does it.
-- Returns: first, again, stale or gone. Writes, locks: as begin_step__<queue>. Raises: PQ001, PQ002, PQ010.
declare
    v_result text;
begin
    perform pgqueue.require_queue(queue);
    execute format('select pgqueue.%I($1, $2, $3)', 'begin_step__' || queue) into v_result using msg_id, receipt, step;
    return v_result;
end
$$;
