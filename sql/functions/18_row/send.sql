create or replace function pgqueue.send__template_queue(message jsonb, headers jsonb default null, delay interval default '0',
                                                        key text default null, group_key text default null, priority integer default 0)
returns bigint
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
-- Put one message into the queue; it exists if and only if the caller's transaction commits.
-- Returns: its msg_id; with a key that was used within the window, the first one's. Writes: r_, with a key k_.
-- Locks: with a group_key the group's advisory lock until commit, so that ids of a group rise in the order of commits.
-- Raises: PQ002, PQ003, PQ006.
declare
    c_limit constant integer := 1048576; -- setting: payload_limit
    v_now constant timestamptz := pgqueue.clock();
    v_size constant integer := octet_length(message::text);
    v_id bigint;
    v_first bigint;
begin
    if v_size > c_limit or v_size is null or (v_size > 256 and pgqueue.is_suspect(message)) then
        perform pgqueue.check_payload(message, c_limit);
    end if;
    if headers is not null then
        perform pgqueue.check_headers(headers);
    end if;
    if key is not null or group_key is not null or priority <> 0 or priority is null or delay <> '0' or delay is null then
        perform pgqueue.check_send(delay, key, group_key, priority);
        if group_key is not null then
            perform pg_advisory_xact_lock(pgqueue.group_lock('template_queue', group_key));
        end if;
    end if;
    if key is not null then
        lock table pgqueue.r_template_queue in row exclusive mode; -- before sequence and keys, as drop_queue takes them
        v_id := nextval('pgqueue.s_template_queue');
        v_first := (pgqueue.claim_keys__template_queue(array[key], array[v_id], array[jsonb_hash_extended(message, 0)]))[1];
        if v_first <> v_id then
            return v_first;
        end if;
    end if;
    insert into pgqueue.r_template_queue (msg_id, enqueued_at, vt, message, headers, group_key, priority)
    values (coalesce(v_id, nextval('pgqueue.s_template_queue')), v_now, v_now + delay, message, headers, group_key, priority)
    returning msg_id into v_id;
    return v_id;
end
$$;
