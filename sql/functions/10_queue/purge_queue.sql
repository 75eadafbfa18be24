create or replace function pgqueue.purge_queue(queue text)
returns bigint
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
-- Remove every message that waits or runs; archive, dead letters and idempotency keys stay.
-- Returns: how many. Writes: truncates r_, and of a log l_, m_, c_. Locks: the queue's tables exclusively, until the transaction ends. Raises: PQ001, PQ010.
declare
    v_tables text;
    v_count bigint;
begin
    perform pgqueue.require_queue(queue);
    perform pgqueue.lock_ddl();
    perform pgqueue.require_queue(queue);
    v_tables := array_to_string(pgqueue.tables_of(queue, 'rlmc'), ', ');
    perform pgqueue.execute_ddl(format('lock table %s in access exclusive mode', v_tables), queue);
    execute format('select count(*) from pgqueue.%I', 'q_' || queue) into v_count;
    execute format('truncate %s', v_tables);
    return v_count;
end
$$;
