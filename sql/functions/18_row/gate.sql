create or replace function pgqueue.gate__template_queue(qty integer, due timestamptz, leases boolean default true)
returns integer
language plpgsql security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set enable_bitmapscan = off
set enable_sort = off
set lock_timeout = '100ms'
as $$
-- How many of qty messages may be handed out now: none while the queue is paused, else what its limits leave. Where there is a limit,
-- readers come one after the other, each until its commit: two at once never exceed it. Whoever waits for 100 ms, for somebody reads in
-- a long transaction, gets none. Leases that ran out don't count. leases: false for pop, which leaves none to count.
-- Returns: 0 .. qty. Locks: the gate lock. Raises: as check_gate, where leases are counted.
declare
    c_paused_until constant timestamptz := '-infinity'; -- setting: paused_until
    c_rate constant double precision := '0'; -- setting: rate_limit
    c_most constant integer := '0'; -- setting: max_in_flight
    c_most_per_key constant integer := '0'; -- setting: max_in_flight_per_key
    v_left integer := qty;
begin
    if due < c_paused_until then
        return 0;
    elsif c_rate = 0 and c_most = 0 and c_most_per_key = 0 then
        return qty;
    end if;
    if c_most > 0 or c_most_per_key > 0 then
        perform pgqueue.check_gate('template_queue', leases);
    end if;
    begin
        perform pg_advisory_xact_lock(pgqueue.gate_lock('template_queue'));
    exception when lock_not_available then
        return 0;
    end;
    if c_rate > 0 then
        v_left := least(v_left, pgqueue.saved__template_queue(due));
    end if;
    if c_most > 0 and v_left > 0 then
        v_left := least(v_left, c_most - (select count(*) from (
            select from pgqueue.r_template_queue r where r.receipt is not null and r.vt > due order by r.vt limit c_most) h)::integer);
    end if;
    return greatest(v_left, 0);
end
$$;
