create or replace function pgqueue.chained_headers(queue text, msg_ids bigint[])
returns table (msg_id bigint, headers jsonb)
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
set enable_seqscan = off
set enable_bitmapscan = off
as $$
-- The headers of those messages whose ack owes something: a reply, or an on_success. Read from the queue: nobody's word is taken.
-- Returns: one row such a message.
begin
    return query execute format('select q.msg_id, q.headers from pgqueue.%I q where q.msg_id = any ($1) and q.headers ?| $2', 'q_' || queue)
    using msg_ids, '{pgqueue-reply,pgqueue-on-success}'::text[];
end
$$;
