create or replace function pgqueue.barrier_finish(queue text, msg_id bigint, receipt bigint, generation bigint, archive boolean default false)
returns text
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
-- Ack the callback of a barrier whose handler has returned, and note that: another delivery of it is acked unrun from now on. It is
-- noted also where the lease was lost, for the handler has run; in a transaction with its effects, roll back unless it answers done.
-- Returns: done, gone or stale. Writes: barrier; as delete__<queue> or archive__<queue>. Locks: the message, then the barrier.
-- Raises: PQ001, PQ002.
declare
    v_queue constant text := queue;
    v_id constant bigint := msg_id;
    v_now constant timestamptz := pgqueue.clock();
    v_outcome text;
begin
    perform pgqueue.require_queue(v_queue);
    execute format('select pgqueue.%I($1, $2)', case when archive then 'archive__' else 'delete__' end || v_queue) into v_outcome using v_id, receipt;
    update pgqueue.barrier b set callback_finished_at = v_now
    where b.generation = barrier_finish.generation and b.callback_finished_at is null and pgqueue.is_callback(b, v_queue, v_id);
    return v_outcome;
end
$$;
