create or replace function pgqueue.pop__template_log(qty integer default 1)
returns setof pgqueue.message
language plpgsql security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set enable_bitmapscan = off
set enable_sort = off
as $$
-- Read and delete at once: at most once, for what may be lost with its reader.
-- Returns: 0 .. qty messages, the row side first, without a receipt. Writes: l_, m_, c_, r_. Locks: first as gate, then as read and delete_batch.
-- Raises: PQ002.
declare
    c_gated constant boolean := 'false'; -- setting: gated
    v_now constant timestamptz := pgqueue.clock();
    v_message pgqueue.message;
    v_ids bigint[] := '{}';
    v_receipt bigint;
    v_room integer := qty;
    v_left integer;
begin
    perform pgqueue.check_read('1 s', qty);
    if c_gated then
        v_room := pgqueue.gate__template_log(qty, v_now, false);
        if v_room < 1 then
            return;
        end if;
    end if;
    v_left := v_room;
    perform pgqueue.lapse__template_log(v_now, v_room);
    for v_message in select * from pgqueue.row_pop__template_log(v_room) loop
        v_left := v_left - 1;
        return next v_message;
    end loop;
    if c_gated then
        perform pgqueue.spend__template_log(v_room - v_left, v_now); -- the read below counts its own
    end if;
    if v_left = 0 then
        return;
    end if;
    for v_message in select * from pgqueue.read__template_log('1 s', v_left) loop
        v_ids := v_ids || v_message.msg_id;
        v_receipt := v_message.receipt;
        v_message.vt := v_message.enqueued_at;
        v_message.receipt := null;
        return next v_message;
    end loop;
    if v_receipt is not null then
        perform from pgqueue.delete_batch__template_log(v_ids, array[v_receipt]);
    end if;
end
$$;
