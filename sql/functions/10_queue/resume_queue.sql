create or replace function pgqueue.resume_queue(queue text)
returns boolean
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
-- End a pause. Whoever listens to the queue is woken, for there may be much to read.
-- Returns: false when the queue was not paused. Writes: pgqueue.paused_queue, the queue's functions; notifies pgqueue_<queue>.
-- Locks: as lock_ddl(). Raises: PQ001.
declare
    v_now constant timestamptz := pgqueue.clock();
    v_until timestamptz;
begin
    perform pgqueue.require_queue(queue);
    perform pgqueue.lock_ddl();
    perform pgqueue.require_queue(queue);
    delete from pgqueue.paused_queue p where p.queue = resume_queue.queue
    returning coalesce(p.until, 'infinity') into v_until;
    if not found then
        return false;
    end if;
    perform pgqueue.clone_functions(queue);
    perform pg_notify('pgqueue_' || queue, '');
    return v_until > v_now;
end
$$;
