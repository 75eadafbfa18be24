create or replace function pgqueue.send_batch__template_log(messages jsonb[], headers jsonb[] default null, delay interval default '0',
                                                            keys text[] default null, group_keys text[] default null, priority integer default 0)
returns setof bigint
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
-- Put many messages into the queue, all or none; as send, the xid before the ids.
-- Returns: the ids in the order of the input; for a key used before, the first one's. Writes: l_, m_ or r_; with keys k_.
-- Locks: keys in order. Raises: PQ002, PQ003 (with the index), PQ006, PQ008 (group_keys).
declare
    c_limit constant integer := 1048576; -- setting: payload_limit
    v_now constant timestamptz := pgqueue.clock();
    v_count constant integer := coalesce(cardinality(messages), 0);
    v_bad record;
    v_ids bigint[];
    v_decided bigint[];
    v_xid xid8;
    v_next bigint;
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
        if exists (select from unnest(group_keys) g where g is not null) then
            perform pgqueue.needs_row_kind('template_log', 'group_keys');
        end if;
    end if;
    lock table pgqueue.r_template_log in row exclusive mode; -- before sequence and keys, as drop_queue takes them
    v_xid := pg_current_xact_id();
    if keys is null and delay = '0' and priority = 0 then
        v_next := coalesce(pg_sequence_last_value('pgqueue.s_template_log'::regclass), 0) + 1;
        if v_next & 131072 = 0 then
            return query
                insert into pgqueue.l_template_log as l (msg_id, enqueued_at, message, headers)
                select nextval('pgqueue.s_template_log'), v_now, u.m, u.h from unnest(messages, headers) u(m, h)
                returning l.msg_id;
        else
            return query
                insert into pgqueue.m_template_log as m (msg_id, enqueued_at, message, headers)
                select nextval('pgqueue.s_template_log'), v_now, u.m, u.h from unnest(messages, headers) u(m, h)
                returning m.msg_id;
        end if;
        if pg_sequence_last_value('pgqueue.s_template_log'::regclass) >> 17 > v_next >> 17 then
            perform pgqueue.change_sides__template_log(v_next | 131071);
        end if;
        return;
    end if;
    v_ids := array(select nextval('pgqueue.s_template_log') from generate_series(1, v_count));
    v_decided := v_ids;
    if keys is not null then
        v_decided := pgqueue.claim_keys__template_log(keys, v_ids, array(select jsonb_hash_extended(m, 0) from unnest(messages) m));
    end if;
    if delay <> '0' or priority <> 0 then
        insert into pgqueue.r_template_log (msg_id, enqueued_at, vt, message, headers, priority)
        select u.id, v_now, v_now + delay, u.m, u.h, priority
        from unnest(messages, headers, v_ids, v_decided) u(m, h, id, decided)
        where u.id = u.decided;
    else
        insert into pgqueue.l_template_log (msg_id, enqueued_at, message, headers)
        select u.id, v_now, u.m, u.h from unnest(messages, headers, v_ids, v_decided) u(m, h, id, decided)
        where u.id = u.decided and u.id & 131072 = 0;
        insert into pgqueue.m_template_log (msg_id, enqueued_at, message, headers)
        select u.id, v_now, u.m, u.h from unnest(messages, headers, v_ids, v_decided) u(m, h, id, decided)
        where u.id = u.decided and u.id & 131072 <> 0;
    end if;
    return query select unnest(v_decided);
end
$$;
