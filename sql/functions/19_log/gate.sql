create or replace function pgqueue.gate__template_log(qty integer, due timestamptz, leases boolean default true)
returns integer
language plpgsql security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set enable_bitmapscan = off
set enable_sort = off
set lock_timeout = '100ms'
as $$
-- How many of qty messages may be handed out now: as the row kind's. What is in flight: what leases hold on the row side, and what the
-- claims that have not run out hold of the log: of a claim only the messages that are still there.
-- Returns: 0 .. qty. Locks: the gate lock. Raises: as the row kind's.
declare
    c_paused_until constant timestamptz := '-infinity'; -- setting: paused_until
    c_rate constant double precision := '0'; -- setting: rate_limit
    c_most constant integer := '0'; -- setting: max_in_flight
    v_left integer := qty;
    v_held integer;
begin
    if due < c_paused_until then
        return 0;
    elsif c_rate = 0 and c_most = 0 then
        return qty;
    end if;
    if c_most > 0 then
        perform pgqueue.check_gate('template_log', leases);
    end if;
    begin
        perform pg_advisory_xact_lock(pgqueue.gate_lock('template_log'));
    exception when lock_not_available then
        return 0;
    end;
    if c_rate > 0 then
        v_left := least(v_left, pgqueue.saved__template_log(due));
    end if;
    if c_most > 0 and v_left > 0 then
        select count(*) into v_held from (
            select from pgqueue.r_template_log r where r.receipt is not null and r.vt > due order by r.vt limit c_most) h;
        select v_held + count(*) into v_held from (
            select from (select c.* from pgqueue.c_template_log c where c.vt > due order by c.vt, c.lo) c
            cross join lateral (select l.msg_id from pgqueue.l_template_log l where l.msg_id between c.lo and c.hi
                                union all select m.msg_id from pgqueue.m_template_log m where m.msg_id between c.lo and c.hi) x
            where c.gaps is null or x.msg_id <> all (c.gaps)
            limit c_most) h;
        v_left := least(v_left, c_most - v_held);
    end if;
    return greatest(v_left, 0);
end
$$;
