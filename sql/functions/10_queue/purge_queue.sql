create or replace function pgqueue.purge_queue(queue text)
returns bigint
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
-- Remove every message that waits or runs; archive, dead letters and idempotency keys stay.
-- Returns: how many. Writes: truncates r_. Locks: the queue's table exclusively, until the transaction ends. Raises: PQ001, PQ010.
declare
    v_count bigint;
begin
    perform pgqueue.require_queue(queue);
    perform pgqueue.lock_ddl();
    perform pgqueue.require_queue(queue);
    perform pgqueue.execute_ddl(format('lock table pgqueue.%I in access exclusive mode', 'r_' || queue), queue);
    execute format('select count(*) from pgqueue.%I', 'r_' || queue) into v_count;
    execute format('truncate pgqueue.%I', 'r_' || queue);
    return v_count;
end
$$;
