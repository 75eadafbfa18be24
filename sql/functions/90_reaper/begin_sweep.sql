create or replace function pgqueue.begin_sweep(chore text, every interval, holder text, token bigint)
returns table (answer text, wait interval)
language plpgsql security definer
set search_path = pg_catalog, pg_temp
set lock_timeout = '5s'
as $$
-- Begin a run of a chore when it is due; the next one is due `every` from now, however this one ends. Asked by two leaders at
-- once, one gets it. A chore that is due later than `every` from now was planned before the clock was set back, or for longer.
-- Returns: one row: due (run it now), later, or lost (the caller leads no more: it does nothing), and when to ask again.
-- Writes: sweep. Locks: the chore. Raises: PQ002.
declare
    v_chore constant text := chore;
    v_every constant interval := every;
    v_holder constant text := holder;
    v_token constant bigint := token;
    v_now constant timestamptz := pgqueue.clock();
    v_next timestamptz;
begin
    if v_chore is null or v_chore !~ '^[a-z][a-z_]{0,62}$' or v_every is null or not isfinite(v_every) or v_every <= '0' or v_every > '1 day' then
        perform pgqueue.fault('PQ002', format('chore %s every %s', pgqueue.quoted(v_chore), coalesce(v_every::text, 'null')),
                              'A chore is named in small letters and runs at least once a day.');
    end if;
    if not exists (select from pgqueue.leader l where l.name = 'reaper' and l.holder = v_holder and l.token = v_token and l.expires_at > v_now) then
        return query select 'lost', v_every;
        return;
    end if;
    select s.next_at into v_next from pgqueue.sweep s where s.chore = v_chore;
    if v_next > v_now and v_next <= v_now + v_every then
        return query select 'later', v_next - v_now;
        return;
    end if;
    insert into pgqueue.sweep as s (chore, every, holder, token, began_at, next_at)
    values (v_chore, v_every, v_holder, v_token, v_now, v_now + v_every)
    on conflict on constraint ix_sweep_pkey do update
    set every = v_every, holder = v_holder, token = v_token, began_at = v_now, next_at = v_now + v_every
    where s.token <= v_token and (s.next_at <= v_now or s.next_at > v_now + v_every);
    return query select case when found then 'due' else 'later' end, v_every;
end
$$;
