create or replace function pgqueue.pause_queue(queue text, why text, until timestamptz default null)
returns void
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
-- Hand out nothing from a queue, to nobody, until it is resumed or until then (null: for good). Sends, acks, renewals and whatever
-- else ends a lease go on. Paused again: the new reason and end count.
-- Writes: pgqueue.paused_queue, the queue's functions, into which the end is written: a read looks nothing up.
-- Locks: as lock_ddl(). Raises: PQ001, PQ002.
declare
    v_now constant timestamptz := pgqueue.clock();
begin
    perform pgqueue.require_queue(queue);
    if coalesce(why, '') !~ '\S' then
        perform pgqueue.fault('PQ002', 'why the queue is paused is empty', 'Say it in a few words: others will ask.');
    elsif until <= v_now or not isfinite(until) then
        perform pgqueue.fault('PQ002', format('a pause can''t last until %s', until), 'Pass an instant to come, or null for no end.');
    end if;
    perform pgqueue.lock_ddl();
    perform pgqueue.require_queue(queue);
    insert into pgqueue.paused_queue as p (queue, paused_at, paused_by, reason, until)
    values (pause_queue.queue, v_now, session_user, left(pgqueue.clean_text(why), 1000), pause_queue.until)
    on conflict on constraint ix_paused_queue_pkey do update
    set paused_at = excluded.paused_at, paused_by = excluded.paused_by, reason = excluded.reason, until = excluded.until;
    perform pgqueue.clone_functions(queue);
end
$$;
