create or replace function pgqueue.request(queue text, message jsonb, ttl interval default '1 hour', headers jsonb default null, delay interval default '0',
                                           key text default null, group_key text default null, priority integer default 0)
returns table (reply_id uuid, msg_id bigint)
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
-- Send one message that is replied to: by ack_with in the transaction of its ack, by its burial in that of the burial. Ask with
-- get_reply, once this transaction has committed: nobody can answer before. The reply_id is the right to read the reply.
-- Returns: the reply's id and the message's; with a key that was used within the window, those of the first request.
-- Writes, locks: as send; reply. Raises: PQ001, PQ002, PQ003, PQ006, PQ008.
declare
    v_now constant timestamptz := pgqueue.clock();
    v_queue constant text := queue;
    v_reply uuid := gen_random_uuid();
    v_id bigint;
begin
    if ttl is null or not isfinite(ttl) or ttl < '1 s' or ttl > '366 days' then
        perform pgqueue.fault('PQ002', format('ttl must be 1 s .. 366 days, not %s', coalesce(ttl::text, 'null')), 'It is how long the reply is kept.');
    end if;
    v_id := pgqueue.send(v_queue, message, coalesce(headers, '{}') || '{"pgqueue-reply": true}', delay, key, group_key, priority);
    insert into pgqueue.reply as r (reply_id, queue, msg_id, ttl, requested_at, expires_at)
    values (v_reply, v_queue, v_id, request.ttl, v_now, v_now + request.ttl)
    on conflict on constraint ix_reply_message do nothing;
    if not found then
        select r.reply_id into v_reply from pgqueue.reply r where r.queue = v_queue and r.msg_id = v_id;
    end if;
    return query select v_reply, v_id;
end
$$;
