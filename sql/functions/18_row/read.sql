create or replace function pgqueue.read__template_queue(vt interval default null, qty integer default 1, filter jsonb default null, holder text default null)
returns setof pgqueue.message
language plpgsql security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set enable_bitmapscan = off
set enable_sort = off
as $$
-- Lease up to qty visible messages for vt (null: the queue's own): priority first, then vt, then msg_id; of a group only
-- its head. A message past the hard cap goes to the dead letters here, for it may kill whoever handles it.
-- Returns: 0 .. qty messages in claim order, all under one random receipt. Writes: r_, past the cap d_.
-- Locks: the claimed rows; rows locked by others are skipped; first as gate. Raises: PQ002.
declare
    c_vt constant interval := '30'; -- setting: vt
    c_hard_cap constant integer := '10'; -- setting: hard_cap
    c_gated constant boolean := 'false'; -- setting: gated
    c_most_per_key constant integer := '0'; -- setting: max_in_flight_per_key
    v_now constant timestamptz := pgqueue.clock();
    v_vt constant interval := coalesce(vt, c_vt);
    v_until constant timestamptz := v_now + v_vt;
    v_receipt constant bigint := pgqueue.new_receipt(v_now);
    v_filter constant jsonb := filter;
    v_holder constant text := left(holder, 255);
    v_left integer := qty;
    v_level smallint := 10;
    v_hint bigint;
    v_from timestamptz := '-infinity';
    v_got integer;
    v_room integer;
begin
    if v_vt < '0.1 s' or v_vt > '24 hours' or qty < 1 or qty > 1000 or qty is null then
        perform pgqueue.check_read(v_vt, qty);
    end if;
    if c_gated then
        v_room := pgqueue.gate__template_queue(qty, v_now);
        v_left := v_room;
        if v_room < 1 then
            return;
        elsif c_most_per_key > 0 then
            return query select * from pgqueue.read_by_key__template_queue(v_vt, v_room, v_filter, v_holder, v_now);
            get diagnostics v_got = row_count;
            perform pgqueue.spend__template_queue(v_got, v_now);
            return;
        end if;
    end if;
    loop
        if v_level > 0 then
            select r.priority into v_level from pgqueue.r_template_queue r
            where r.priority > 0 and r.priority < v_level order by r.priority desc limit 1;
            v_level := coalesce(v_level, 0);
        end if;
        if v_level = 0 then
            v_hint := pg_sequence_last_value('pgqueue.f_template_queue'::regclass); -- after r_, which a drop locks first
            if v_hint > 0 or v_receipt & 63 = 0 then
                v_from := pgqueue.floor__template_queue(v_hint, v_now);
            end if;
        end if;
        return query
            with picked as materialized (
                select r.* from pgqueue.r_template_queue r
                where r.priority = v_level and r.vt <= v_now and r.vt >= v_from
                  and (v_filter is null or r.message @> v_filter)
                  and (r.group_key is null or not exists (
                      select from pgqueue.r_template_queue h where h.group_key = r.group_key and (h.msg_id + 0) < r.msg_id))
                order by r.vt, (r.msg_id + 0)
                limit v_left
                for update of r skip locked
            ), leased as (
                update pgqueue.r_template_queue r
                set vt = v_until, read_ct = r.read_ct + 1, receipt = v_receipt,
                    last_read_at = case when r.read_ct - r.release_ct < c_hard_cap then v_now else r.last_read_at end,
                    holder = case when r.read_ct - r.release_ct < c_hard_cap then v_holder else r.holder end
                where r.msg_id = any (array(select p.msg_id from picked p))
            )
            select p.msg_id, p.read_ct + 1, p.enqueued_at, v_now, v_until, p.message, p.headers, v_receipt, p.release_ct, p.priority::integer, p.group_key
            from picked p
            where p.read_ct - p.release_ct < c_hard_cap
            order by p.vt, p.msg_id;
        get diagnostics v_got = row_count;
        v_left := v_left - v_got;
        exit when v_left = 0;
        -- Short: perhaps because some were past the cap. They carry this call's receipt and one read too many.
        with doomed as (
            delete from pgqueue.r_template_queue r
            where r.msg_id = any (array(
                select c.msg_id from pgqueue.r_template_queue c
                where c.priority = v_level and c.vt = v_until and c.receipt = v_receipt and c.read_ct - c.release_ct > c_hard_cap
                order by c.vt, (c.msg_id + 0)))
            returning r.*
        )
        insert into pgqueue.d_template_queue (msg_id, reason, error, died_at, holder, enqueued_at, last_read_at, read_ct, release_ct, priority, group_key, message, headers)
        select d.msg_id, 'hard_cap', d.error, v_now, d.holder, d.enqueued_at, d.last_read_at, d.read_ct - 1, d.release_ct, d.priority, d.group_key, d.message, d.headers
        from doomed d;
        get diagnostics v_got = row_count;
        if v_got > 0 then
            perform set_config('synchronous_commit', 'on', true) where current_setting('synchronous_commit') = 'off'; -- a burial is for good
            perform pgqueue.bury_doomed__template_queue(v_level, v_now);
            v_level := v_level + 1;
        elsif v_level = 0 then
            exit;
        end if;
    end loop;
    if c_gated then
        perform pgqueue.spend__template_queue(v_room - v_left, v_now);
    end if;
end
$$;
