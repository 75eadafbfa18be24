create or replace function pgqueue.part_messages(queue text, msg_ids bigint[])
returns table (msg_id bigint, state text, next_id bigint, read_ct integer, vt timestamptz, holder text, error text)
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
set enable_seqscan = off
set enable_bitmapscan = off
as $$
-- Where these messages of a queue are, in one snapshot: as in q_<queue>, or dead (a dead letter), redriven (sent again as next_id),
-- gone (neither: acked, purged, or the queue was dropped).
-- Returns: one row an id.
begin
    if to_regclass(format('pgqueue.%I', 'q_' || queue)) is null then
        return query select u.id, 'gone', null::bigint, null::integer, null::timestamptz, null::text, 'the queue was dropped' from unnest(msg_ids) u(id);
        return;
    end if;
    return query execute format(
        'with here as materialized (select q.msg_id, q.state, q.read_ct, q.vt, q.holder, q.error from pgqueue.%I q where q.msg_id = any ($1)),
              dead as materialized (select d.msg_id, d.redriven_as, d.read_ct, d.holder, d.reason, d.error from pgqueue.%I d where d.msg_id = any ($1))
         select u.id, coalesce(h.state, case when d.msg_id is null then ''gone'' when d.redriven_as is null then ''dead'' else ''redriven'' end),
                d.redriven_as, coalesce(h.read_ct, d.read_ct), h.vt, coalesce(h.holder, d.holder), coalesce(h.error, concat_ws('': '', d.reason, d.error))
         from unnest($1) u(id) left join here h on h.msg_id = u.id left join dead d on d.msg_id = u.id', 'q_' || queue, 'd_' || queue)
    using msg_ids;
end
$$;
