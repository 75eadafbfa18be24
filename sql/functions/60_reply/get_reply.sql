create or replace function pgqueue.get_reply(reply_id uuid, look boolean default true)
returns table (state text, reason text, error text, result jsonb)
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
-- Ask for a reply. With look, a request whose message went without one (acked by delete, popped, purged, dropped with its queue)
-- fails as lost: the message is looked for first and the row read after it, for an ack that takes the one writes the other.
-- Returns: one row: waiting, done (with the result), failed (with reason and error), expired, or unknown: not committed, or
-- forgotten. Writes: reply. Locks: the row of a lost one. In a transaction of its own, read committed.
declare
    v_now constant timestamptz := pgqueue.clock();
    v_reply pgqueue.reply;
    v_lost text;
begin
    select r.* into v_reply from pgqueue.reply r where r.reply_id = get_reply.reply_id;
    if v_reply.state = 'waiting' and v_reply.expires_at > v_now and look then
        select case p.state when 'gone' then coalesce(nullif(p.error, ''), 'the message is gone, and nobody has replied') else 'the message is ' || p.state end into v_lost
        from pgqueue.part_messages(v_reply.queue, array[v_reply.msg_id]) p where p.state in ('dead', 'redriven', 'gone');
        if found then
            update pgqueue.reply r set state = 'failed', reason = 'lost', error = v_lost, ended_at = v_now, expires_at = v_now + r.ttl
            where r.reply_id = v_reply.reply_id and r.state = 'waiting';
            select r.* into v_reply from pgqueue.reply r where r.reply_id = get_reply.reply_id;
        end if;
    end if;
    return query select case when v_reply.state is null then 'unknown' when v_reply.expires_at <= v_now then 'expired' else v_reply.state end,
                        v_reply.reason, v_reply.error, case when v_reply.expires_at > v_now then v_reply.result end;
end
$$;
