create or replace function pgqueue.begin_step__template_queue(msg_id bigint, receipt bigint, step text)
returns text
language plpgsql security definer
set search_path = pg_catalog, pg_temp
set lock_timeout = '5s'
as $$
-- Note a step of a message as done, first in the transaction that does it: committed together, it is never done again, however often
-- the message comes back. Rolled back, it was never begun. Two holders at the same step wait for each other.
-- Returns: first (do it now), again (it is done), stale or gone (the lease was lost: leave it).
-- Writes: pgqueue.step. Locks: the step's key, for which it waits at most 5 s. Raises: PQ002, PQ010.
declare
    v_id constant bigint := msg_id;
    v_receipt constant bigint := receipt;
    v_step constant text := step;
    v_now constant timestamptz := pgqueue.clock();
    v_held text;
begin
    if v_id is null or v_receipt is null or v_step is null or octet_length(v_step) not between 1 and 255 then
        perform pgqueue.fault('PQ002', format('step %s of message %s', pgqueue.quoted(v_step), coalesce(v_id::text, 'null')),
                              'A step needs a msg_id, the receipt of its lease, and a name of 1 to 255 bytes.');
    end if;
    insert into pgqueue.step (queue, msg_id, step, done_at) values ('template_queue', v_id, v_step, v_now)
    on conflict on constraint ix_step_pkey do nothing;
    if not found then
        return 'again';
    end if;
    -- Asked after the wait: whoever held the key may have had the lease.
    v_held := pgqueue.holds__template_queue(v_id, v_receipt);
    if v_held <> 'done' then
        delete from pgqueue.step s where s.queue = 'template_queue' and s.msg_id = v_id and s.step = v_step;
        return v_held;
    end if;
    return 'first';
exception when lock_not_available then
    perform pgqueue.fault('PQ010', format('another transaction is at step %s of message %s', pgqueue.quoted(v_step), v_id),
                          'Try again when it has ended; it may be an older holder of the message.');
end
$$;
