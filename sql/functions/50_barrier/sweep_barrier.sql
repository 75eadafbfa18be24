create or replace function pgqueue.sweep_barrier(barrier pgqueue.barrier, now timestamptz)
returns integer
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
-- One look at a live barrier. Past its deadline, or without progress for stall_after, it expires: at once, or under the policy
-- collect part by part, so that its callback still fires. Else the next thousand parts are looked at: is each message still there?
-- Returns: how much was changed. Writes: barrier, barrier_part, the queue of a message that is sent.
-- Locks: parts, then the barrier. Every write asks for its predicate again.
declare
    b constant pgqueue.barrier := barrier;
    v_why constant text := case when b.deadline_at <= now then 'expired: past its deadline'
                                when b.last_progress_at + b.stall_after <= now then 'expired: no progress since ' || b.last_progress_at end;
    v_window record;
    v_changed integer := 0;
begin
    if b.expiring is null and v_why is not null then
        update pgqueue.barrier x
        set expiring = case when x.policy = 'collect' then v_why end, checked_part = -1,
            state = case when x.policy = 'collect' then 'live' else 'expired' end, reason = v_why,
            ended_at = case when x.policy <> 'collect' then now end, kept_until = case when x.policy <> 'collect' then now + x.retention end
        where x.generation = b.generation and x.state = 'live' and (x.deadline_at <= now or x.last_progress_at + x.stall_after <= now);
        get diagnostics v_changed = row_count;
        if v_changed > 0 and b.policy <> 'collect' then
            perform pgqueue.fire_barrier(b.generation);
        end if;
        return v_changed;
    end if;
    select array_agg(w.part) filter (where w.state = 'open') as open, max(w.part) as last, count(*) as looked into v_window
    from (select p.part, p.state from pgqueue.barrier_part p
          where p.generation = b.generation and p.part > b.checked_part order by p.part limit 1000) w;
    if v_window.open is not null and b.expiring is not null then
        v_changed := cardinality(v_window.open);
        perform e.state from pgqueue.end_parts(array_fill(b.generation, array[v_changed]), v_window.open, array_fill('failed'::text, array[v_changed]),
                                               null, array_fill(b.expiring, array[v_changed])) e;
    elsif v_window.open is not null then
        v_changed := pgqueue.fail_lost_parts(b.generation, v_window.open);
    end if;
    update pgqueue.barrier x
    set checked_part = case when v_window.looked < 1000 then -1 else v_window.last end,
        check_at = case when v_window.looked < 1000 and b.expiring is null then least(now + interval '1 minute', greatest(x.deadline_at, now)) else now end
    where x.generation = b.generation and x.state = 'live';
    return v_changed;
end
$$;
