create or replace function pgqueue.send_batch__template_queue(messages jsonb[], headers jsonb[] default null, delay interval default '0',
                                                              keys text[] default null, group_keys text[] default null, priority integer default 0)
returns setof bigint
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
-- Put many messages into the queue, all or none. The xid is taken before the ids, so an id never belongs to a
-- transaction that a snapshot from before the id could take for finished.
-- Returns: the ids in the order of the input; for a key used before, the first one's. Writes: r_, with keys k_.
-- Locks: group locks by number, then keys in order. Raises: PQ002, PQ003 (with the index), PQ006.
declare
    c_limit constant integer := 1048576; -- setting: payload_limit
    v_now constant timestamptz := pgqueue.clock();
    v_count constant integer := coalesce(cardinality(messages), 0);
    v_bad record;
    v_ids bigint[];
    v_decided bigint[];
begin
    if messages is null then
        perform pgqueue.fault('PQ002', 'messages is null', 'Pass an array; an empty one sends nothing.');
    end if;
    if priority <> 0 or priority is null or delay <> '0' or delay is null then
        perform pgqueue.check_send(delay, null, null, priority);
    end if;
    perform pgqueue.check_send_arrays(v_count, array_ndims(messages), cardinality(headers), cardinality(keys), cardinality(group_keys));
    if v_count = 0 then
        return;
    end if;
    for v_bad in
        select u.m, u.i from unnest(messages) with ordinality u(m, i)
        where u.m is null or octet_length(u.m::text) > least(256, c_limit)
          and (octet_length(u.m::text) > c_limit or pgqueue.is_suspect(u.m))
    loop
        perform pgqueue.check_payload(v_bad.m, c_limit, format('messages[%s]', v_bad.i));
    end loop;
    if headers is not null then
        perform pgqueue.check_headers(u.h, format('headers[%s]', u.i)) from unnest(headers) with ordinality u(h, i);
    end if;
    if keys is not null or group_keys is not null then
        perform pgqueue.check_send('0', u.k, u.g, 0) from unnest(keys, group_keys) u(k, g);
        perform pg_advisory_xact_lock(l.number)
        from (select distinct pgqueue.group_lock('template_queue', g) as number from unnest(group_keys) g where g is not null order by 1) l;
    end if;
    lock table pgqueue.r_template_queue in row exclusive mode; -- before sequence and keys, as drop_queue takes them
    perform pg_current_xact_id();
    if keys is null then
        return query
            insert into pgqueue.r_template_queue as r (msg_id, enqueued_at, vt, message, headers, group_key, priority)
            select nextval('pgqueue.s_template_queue'), v_now, v_now + delay, u.m, u.h, u.g, priority
            from unnest(messages, headers, group_keys) u(m, h, g)
            returning r.msg_id;
        return;
    end if;
    v_ids := array(select nextval('pgqueue.s_template_queue') from generate_series(1, v_count));
    v_decided := pgqueue.claim_keys__template_queue(keys, v_ids, array(select jsonb_hash_extended(m, 0) from unnest(messages) m));
    insert into pgqueue.r_template_queue (msg_id, enqueued_at, vt, message, headers, group_key, priority)
    select u.id, v_now, v_now + delay, u.m, u.h, u.g, priority
    from unnest(messages, headers, group_keys, v_ids, v_decided) u(m, h, g, id, decided)
    where u.id = u.decided;
    return query select unnest(v_decided);
end
$$;
