create or replace function pgqueue.renew_lead(name text, holder text, token bigint, lease interval default '10 s')
returns boolean
language plpgsql security definer
set search_path = pg_catalog, pg_temp
set lock_timeout = '5s'
as $$
-- Keep the lease for another length from now; one that has lapsed and that nobody took over is kept too.
-- Returns: false when it was lost: whoever asked does nothing more. Writes: leader. Locks: the row. Raises: PQ002, PQ010.
declare
    v_lease constant interval := pgqueue.check_lease(lease);
    v_now constant timestamptz := pgqueue.clock();
begin
    perform pgqueue.check_leader(name, holder);
    update pgqueue.leader l set lease = v_lease, renewed_at = v_now, expires_at = v_now + v_lease
    where l.name = renew_lead.name and l.holder = renew_lead.holder and l.token = renew_lead.token;
    return found;
exception when lock_not_available then
    perform pgqueue.fault('PQ010', format('another transaction is at the lease of %s', pgqueue.quoted(name)), 'Lead in a transaction of its own.');
end
$$;
