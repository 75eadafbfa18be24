create or replace function pgqueue.read__template_log(vt interval default null, qty integer default 1, filter jsonb default null, holder text default null)
returns setof pgqueue.message
language plpgsql security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set enable_bitmapscan = off
set enable_sort = off
as $$
-- Lease up to qty visible messages for vt (null: the queue's own): first what is due on the row side (expired claims of the
-- log are moved there before), then the log in order of msg_id. What the log hands out is one stretch of ids behind the
-- cursor: one row in c_, whatever its qty; the messages themselves are not touched.
-- Returns: 0 .. qty messages, all under one random receipt. Writes: c_; for redeliveries r_, past the cap d_.
-- Locks: first as gate; the take lock, for the few microseconds that move the cursor. Raises: PQ002, PQ008 (filter).
declare
    c_vt constant interval := '30'; -- setting: vt
    c_gated constant boolean := 'false'; -- setting: gated
    v_now constant timestamptz := pgqueue.clock();
    v_vt constant interval := coalesce(vt, c_vt);
    v_until constant timestamptz := v_now + v_vt;
    v_holder constant text := left(holder, 255);
    v_hint constant bigint := pg_sequence_last_value('pgqueue.f_template_log'::regclass);
    v_floor timestamptz := '-infinity';
    v_receipt bigint;
    v_room integer := qty;
    v_left integer := qty;
    v_message pgqueue.message;
    v_due boolean;
    v_lapsed boolean;
    v_ahead bigint;
    v_ids bigint[];
    v_gaps bigint[];
    v_got integer;
begin
    if v_vt < '0.1 s' or v_vt > '24 hours' or qty < 1 or qty > 1000 or qty is null then
        perform pgqueue.check_read(v_vt, qty);
    end if;
    if filter is not null then
        perform pgqueue.needs_row_kind('template_log', 'filter');
    end if;
    if c_gated then
        v_room := pgqueue.gate__template_log(qty, v_now);
        v_left := v_room;
        if v_room < 1 then
            return;
        end if;
    end if;
    v_receipt := pgqueue.new_receipt(v_now);
    if v_hint > 0 or v_receipt & 63 = 0 then
        v_floor := pgqueue.floor__template_log(v_hint, v_now);
        select (select true from pgqueue.r_template_log r where r.priority > 0 limit 1)
               or (select true from pgqueue.r_template_log r where r.priority = 0 and r.vt >= v_floor and r.vt <= v_now order by r.vt, (r.msg_id + 0) limit 1),
               (select true from pgqueue.c_template_log c where c.vt >= v_floor and c.vt <= v_now order by c.vt, c.lo limit 1)
        into v_due, v_lapsed;
    else
        select (select r.priority > 0 or r.vt <= v_now from pgqueue.r_template_log r order by r.priority desc, r.vt, (r.msg_id + 0) limit 1),
               (select true from pgqueue.c_template_log c where c.vt <= v_now order by c.vt, c.lo limit 1)
        into v_due, v_lapsed;
    end if;
    v_ahead := coalesce(pg_sequence_last_value('pgqueue.s_template_log'::regclass), 0) - pg_sequence_last_value('pgqueue.u_template_log'::regclass);
    -- The receipt is random: even when there is always something else to hand out, one read in 64 sweeps, one in 16 mends, one in 8 lets lapse.
    if v_receipt & 63 = 1 then
        v_due := pgqueue.sweep__template_log() > 0 or v_due is true;
    end if;
    if v_lapsed and v_receipt & 7 = 0 then
        v_due := pgqueue.lapse__template_log(v_now, greatest(v_left, 20), v_floor) > 0 or v_due is true;
        v_lapsed := false;
    end if;
    if v_ahead < v_left or v_receipt & 15 = 0 then
        v_due := pgqueue.mend__template_log(v_now) > 0 or v_due is true;
    end if;
    for v_pass in 1 .. 2 loop
        if v_pass = 2 then
            exit when v_left = 0 or v_lapsed is not true;
            v_due := pgqueue.lapse__template_log(v_now, greatest(v_left, 20), v_floor) > 0; -- at least twenty, for the next reads
        end if;
        if v_due then
            for v_message in select * from pgqueue.row_read__template_log(v_vt, v_left, null, v_holder) loop
                if v_left = v_room then
                    v_receipt := v_message.receipt;
                elsif v_message.receipt <> v_receipt then
                    -- The second pass has a receipt of its own; a read shall have one.
                    update pgqueue.r_template_log r set receipt = v_receipt where r.msg_id = v_message.msg_id;
                    v_message.receipt := v_receipt;
                end if;
                v_left := v_left - 1;
                return next v_message;
            end loop;
        end if;
    end loop;
    while v_left > 0 and v_ahead > 0 loop
        v_ids := pgqueue.take__template_log(v_left, v_now);
        v_got := cardinality(v_ids) - 1;
        exit when v_got = 0;
        v_gaps := null;
        if v_ids[v_got + 1] - v_ids[1] > v_got then
            v_gaps := pgqueue.gaps__template_log(v_ids);
        end if;
        v_ids := v_ids[2 :];
        insert into pgqueue.c_template_log (lo, hi, qty, vt, receipt, read_at, gaps, holder)
        values (v_ids[1], v_ids[v_got], v_got, v_until, v_receipt, v_now, v_gaps, v_holder);
        if v_ids[1] & 131072 = 0 then
            return query
                select l.msg_id, 1, l.enqueued_at, v_now, v_until, l.message, l.headers, v_receipt, 0, 0, null::text
                from pgqueue.l_template_log l where l.msg_id = any (v_ids) order by l.msg_id;
        else
            return query
                select m.msg_id, 1, m.enqueued_at, v_now, v_until, m.message, m.headers, v_receipt, 0, 0, null::text
                from pgqueue.m_template_log m where m.msg_id = any (v_ids) order by m.msg_id;
        end if;
        v_left := v_left - v_got;
        exit when v_ids[v_got] & 131071 <> 131071; -- else the other side goes on
    end loop;
    if v_left = v_room and pgqueue.sweep__template_log() > 0 then
        return query select * from pgqueue.row_read__template_log(v_vt, v_left, null, v_holder);
        get diagnostics v_got = row_count;
        v_left := v_left - v_got;
    end if;
    if c_gated then
        perform pgqueue.spend__template_log(v_room - v_left, v_now);
    end if;
end
$$;
