create or replace function pgqueue.try_claim(name text, key text, lease interval default '60 s', holder text default null)
returns bigint
language plpgsql security definer
set search_path = pg_catalog, pg_temp
set lock_timeout = '5s'
as $$
-- Take the right to a named key until the lease ends: when nobody has it, when its lease has lapsed, or when the tombstone of its
-- end is past its retention. The token is higher than that of any holder before, and is drawn under the key's lock.
-- Returns: the token; null when somebody has it, or when it is done. Writes: claim. Locks: the key. Raises: PQ002, PQ006.
declare
    v_name constant text := name;
    v_key constant text := key;
    v_holder constant text := left(pgqueue.clean_text(holder), 255);
    v_now constant timestamptz := pgqueue.clock();
    v_until constant timestamptz := v_now + pgqueue.check_lease(lease);
    v_token bigint;
begin
    perform pgqueue.check_claim(v_name, v_key);
    insert into pgqueue.claim as c (name, key, token, state, claimed_at, expires_at, holder)
    values (v_name, v_key, nextval('pgqueue.claim_token'), 'running', v_now, v_until, v_holder)
    on conflict on constraint ix_claim_pkey do update
    set token = nextval('pgqueue.claim_token'), state = 'running', claimed_at = v_now, expires_at = v_until, done_at = null, holder = v_holder,
        takeovers = case when c.state = 'running' then c.takeovers + 1 else 0 end
    where c.state = 'free' or c.expires_at <= v_now
    returning c.token into v_token;
    return v_token;
exception when lock_not_available then
    perform pgqueue.fault('PQ006', format('another transaction is at claim %s of %s', pgqueue.quoted(v_key), pgqueue.quoted(v_name)),
                          'End that transaction, or try again later: claim in a transaction of its own.');
end
$$;
