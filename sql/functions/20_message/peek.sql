create or replace function pgqueue.peek(queue text, state text default null, after_id bigint default 0, qty integer default 20)
returns setof pgqueue.messages
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
set enable_seqscan = off
set enable_bitmapscan = off
as $$
-- Look at messages without leasing them, by msg_id; page on with after_id => the last msg_id seen.
-- Returns: 0 .. qty rows of the view messages. Raises: PQ001, PQ002.
begin
    perform pgqueue.require_queue(queue);
    if state is not null and state not in ('ready', 'delayed', 'in_flight', 'retry') then
        perform pgqueue.fault('PQ002', format('state %s is unknown', pgqueue.quoted(state)), 'States: ready, delayed, in_flight, retry.');
    end if;
    perform pgqueue.check_read('1 s', qty);
    return query execute format(
        'select $1, q.msg_id, q.state, q.read_ct, q.release_ct, q.priority, q.group_key, q.enqueued_at, q.last_read_at, q.vt, q.holder, q.error, q.message, q.headers
         from pgqueue.%I q where q.msg_id > $2 and ($3 is null or q.state = $3) order by q.msg_id limit $4', 'q_' || queue)
        using queue, coalesce(after_id, 0), state, qty;
end
$$;
