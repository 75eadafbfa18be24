create or replace function pgqueue.pop__template_queue(qty integer default 1)
returns setof pgqueue.message
language plpgsql security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set enable_bitmapscan = off
set enable_sort = off
as $$
-- Read and delete at once: at most once, for what may be lost with its reader.
-- Returns: 0 .. qty messages in claim order, without a receipt. Writes: r_. Locks: the rows; locked ones are skipped; first as gate.
-- Raises: PQ002.
declare
    c_gated constant boolean := 'false'; -- setting: gated
    v_now constant timestamptz := pgqueue.clock();
    v_left integer := qty;
    v_level smallint := 10;
    v_got integer;
    v_room integer;
begin
    perform pgqueue.check_read('1 s', qty);
    if c_gated then
        v_room := pgqueue.gate__template_queue(qty, v_now, false);
        v_left := v_room;
        if v_room < 1 then
            return;
        end if;
    end if;
    loop
        select r.priority into v_level from pgqueue.r_template_queue r
        where r.priority > 0 and r.priority < v_level order by r.priority desc limit 1;
        v_level := coalesce(v_level, 0);
        return query
            with picked as materialized (
                select r.* from pgqueue.r_template_queue r
                where r.priority = v_level and r.vt <= v_now
                  and (r.group_key is null or not exists (
                      select from pgqueue.r_template_queue h where h.group_key = r.group_key and (h.msg_id + 0) < r.msg_id))
                order by r.vt, (r.msg_id + 0)
                limit v_left
                for update of r skip locked
            ), gone as (
                delete from pgqueue.r_template_queue r where r.msg_id = any (array(select p.msg_id from picked p))
            )
            select p.msg_id, p.read_ct + 1, p.enqueued_at, v_now, p.vt, p.message, p.headers, null::bigint, p.release_ct, p.priority::integer, p.group_key
            from picked p
            order by p.vt, p.msg_id;
        get diagnostics v_got = row_count;
        v_left := v_left - v_got;
        exit when v_left = 0 or v_level = 0;
    end loop;
    if c_gated then
        perform pgqueue.spend__template_queue(v_room - v_left, v_now);
    end if;
end
$$;
