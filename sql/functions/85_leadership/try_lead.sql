create or replace function pgqueue.try_lead(name text, holder text, lease interval default '10 s')
returns table (token bigint, lapses_in interval)
language plpgsql security definer
set search_path = pg_catalog, pg_temp
set lock_timeout = '5s'
as $$
-- Take the lease of a chore when nobody has it or when it has lapsed; its own holder, whose answer was lost, gets a new token.
-- Tokens rise and are drawn under the row's lock. A standby only reads. A lease that ends later than its length from now was
-- written before the clock was set back: it is cut to that length, else a dead leader would be waited for until then.
-- Returns: one row: the token, null for a standby, and in how long the lease lapses. Writes: leader. Locks: the row.
-- Raises: PQ002, PQ010.
declare
    v_name constant text := name;
    v_holder constant text := holder;
    v_lease constant interval := pgqueue.check_lease(lease);
    v_now constant timestamptz := pgqueue.clock();
    v_leader pgqueue.leader;
begin
    perform pgqueue.check_leader(v_name, v_holder);
    select l.* into v_leader from pgqueue.leader l where l.name = v_name;
    if v_leader.holder <> v_holder and v_leader.expires_at > v_now then
        if v_leader.expires_at > v_now + v_leader.lease + interval '1 second' then
            update pgqueue.leader l set renewed_at = v_now, expires_at = v_now + l.lease
            where l.name = v_name and l.token = v_leader.token and l.expires_at > v_now + l.lease + interval '1 second';
        end if;
        return query select null::bigint, least(v_leader.expires_at - v_now, v_leader.lease);
        return;
    end if;
    insert into pgqueue.leader as l (name, holder, token, lease, elected_at, renewed_at, expires_at)
    values (v_name, v_holder, nextval('pgqueue.leader_token'), v_lease, v_now, v_now, v_now + v_lease)
    on conflict on constraint ix_leader_pkey do update
    set holder = v_holder, token = nextval('pgqueue.leader_token'), lease = v_lease, elected_at = v_now, renewed_at = v_now, expires_at = v_now + v_lease
    where l.holder is null or l.holder = v_holder or l.expires_at <= v_now
    returning l.* into v_leader;
    return query select case when v_leader.holder = v_holder then v_leader.token end, v_lease;
exception when lock_not_available then
    perform pgqueue.fault('PQ010', format('another transaction is at the lease of %s', pgqueue.quoted(v_name)), 'Lead in a transaction of its own.');
end
$$;
