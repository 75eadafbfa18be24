create or replace function pgqueue.end_reply(queue text, msg_id bigint, state text, result jsonb, reason text, error text)
returns void
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
-- Write the reply to a request, if nobody has: the first one stands. Where it is forgotten or past its ttl, nobody waits for it.
-- Writes: reply. Locks: its row, after the message's.
declare
    v_now constant timestamptz := pgqueue.clock();
begin
    update pgqueue.reply r
    set state = end_reply.state, result = end_reply.result, reason = end_reply.reason, error = end_reply.error, ended_at = v_now, expires_at = v_now + r.ttl
    where r.queue = end_reply.queue and r.msg_id = end_reply.msg_id and r.state = 'waiting' and r.expires_at > v_now;
end
$$;
