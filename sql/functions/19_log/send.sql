create or replace function pgqueue.send__template_log(message jsonb, headers jsonb default null, delay interval default '0',
                                                      key text default null, group_key text default null, priority integer default 0)
returns bigint
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
-- Put one message into the queue; it exists if and only if the caller's transaction commits. What is to be read at once and
-- in order goes to the log, what is delayed or has a priority to the row side.
-- The xid is taken before the id: an id then always belongs to a transaction that a snapshot can name, and once the horizon
-- has passed it, a missing id is missing for ever.
-- Returns: its msg_id; with a key that was used within the window, the first one's. Writes: l_ or m_, or r_; with a key k_.
-- Locks: with a key its row. Raises: PQ002, PQ003, PQ006, PQ008 (group_key).
declare
    c_limit constant integer := 1048576; -- setting: payload_limit
    v_now constant timestamptz := pgqueue.clock();
    v_size constant integer := octet_length(message::text);
    v_aside constant boolean := delay <> '0' or priority <> 0;
    v_id bigint;
    v_first bigint;
begin
    if v_size > c_limit or v_size is null or (v_size > 256 and pgqueue.is_suspect(message)) then
        perform pgqueue.check_payload(message, c_limit);
    end if;
    if headers is not null then
        perform pgqueue.check_headers(headers);
    end if;
    if key is not null or group_key is not null or v_aside is not false then
        perform pgqueue.check_send(delay, key, group_key, priority);
        if group_key is not null then
            perform pgqueue.needs_row_kind('template_log', 'group_key');
        end if;
    end if;
    if key is not null then
        lock table pgqueue.r_template_log in row exclusive mode; -- before sequence and keys, as drop_queue takes them
    end if;
    perform pg_current_xact_id();
    v_id := nextval('pgqueue.s_template_log');
    if key is not null then
        v_first := (pgqueue.claim_keys__template_log(array[key], array[v_id], array[jsonb_hash_extended(message, 0)]))[1];
        if v_first <> v_id then
            return v_first;
        end if;
    end if;
    if v_aside then
        insert into pgqueue.r_template_log (msg_id, enqueued_at, vt, message, headers, priority)
        values (v_id, v_now, v_now + delay, message, headers, priority);
    elsif v_id & 131072 = 0 then
        insert into pgqueue.l_template_log (msg_id, enqueued_at, message, headers) values (v_id, v_now, message, headers);
    else
        insert into pgqueue.m_template_log (msg_id, enqueued_at, message, headers) values (v_id, v_now, message, headers);
    end if;
    return v_id;
end
$$;
