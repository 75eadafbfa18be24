create or replace function pgqueue.read_by_key__template_queue(lease interval, qty integer, filter jsonb, reader text, due timestamptz)
returns setof pgqueue.message
language plpgsql security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set enable_bitmapscan = off
set enable_sort = off
as $$
-- The rest of a read where max_in_flight_per_key is set: level by level, what pick_by_key chooses. What is past the hard cap is
-- buried first.
-- Returns: as read. Writes: r_, past the cap d_. Locks: the claimed rows; locked ones are skipped. Called under the gate lock.
declare
    c_hard_cap constant integer := '10'; -- setting: hard_cap
    v_until constant timestamptz := due + lease;
    v_receipt constant bigint := pgqueue.new_receipt(due);
    v_left integer := qty;
    v_level smallint := 10;
    v_ids bigint[];
    v_got integer;
begin
    loop
        select r.priority into v_level from pgqueue.r_template_queue r
        where r.priority > 0 and r.priority < v_level order by r.priority desc limit 1;
        v_level := coalesce(v_level, 0);
        for v_try in 1 .. 10 loop
            v_ids := pgqueue.pick_by_key__template_queue(v_level, v_left, filter, due);
            with doomed as (
                delete from pgqueue.r_template_queue r
                where r.msg_id = any (array(
                    select d.msg_id from pgqueue.r_template_queue d
                    where d.msg_id = any (v_ids) and d.vt <= due and d.read_ct - d.release_ct >= c_hard_cap
                    order by d.msg_id for update skip locked))
                returning r.*
            )
            insert into pgqueue.d_template_queue (msg_id, reason, error, died_at, holder, enqueued_at, last_read_at, read_ct, release_ct, priority, group_key, message, headers)
            select d.msg_id, 'hard_cap', d.error, due, d.holder, d.enqueued_at, d.last_read_at, d.read_ct, d.release_ct, d.priority, d.group_key, d.message, d.headers
            from doomed d;
            exit when not found;
            perform set_config('synchronous_commit', 'on', true) where current_setting('synchronous_commit') = 'off'; -- a burial is for good
        end loop;
        return query
            with picked as materialized (
                select r.* from pgqueue.r_template_queue r
                where r.msg_id = any (v_ids) and r.vt <= due and r.read_ct - r.release_ct < c_hard_cap
                for update of r skip locked
            ), leased as (
                update pgqueue.r_template_queue r
                set vt = v_until, read_ct = r.read_ct + 1, receipt = v_receipt, last_read_at = due, holder = reader
                where r.msg_id = any (array(select p.msg_id from picked p))
            )
            select p.msg_id, p.read_ct + 1, p.enqueued_at, due, v_until, p.message, p.headers, v_receipt, p.release_ct, p.priority::integer, p.group_key
            from picked p
            order by p.vt, p.msg_id;
        get diagnostics v_got = row_count;
        v_left := v_left - v_got;
        exit when v_left = 0 or v_level = 0;
    end loop;
end
$$;
