create or replace function pgqueue.renew_claim(name text, key text, token bigint, lease interval default '60 s')
returns timestamptz
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
-- Keep a claim for another lease from now; one that has lapsed and that nobody took over is kept too.
-- Returns: until when. Writes: claim. Locks: the row. Raises: PQ002, PQ013.
declare
    v_until constant timestamptz := pgqueue.clock() + pgqueue.check_lease(lease);
begin
    update pgqueue.claim c set expires_at = v_until
    where c.name = renew_claim.name and c.key = renew_claim.key and c.token = renew_claim.token and c.state = 'running';
    if not found then
        perform pgqueue.claim_lost(name, key, token);
    end if;
    return v_until;
end
$$;
