create or replace function pgqueue.finish_claim(name text, key text, token bigint, retention interval default '7 days')
returns timestamptz
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
-- Leave the tombstone: nobody gets the key until retention is over. Best in the transaction of the last effect, which is rolled
-- back when the claim was lost. Safe to repeat.
-- Returns: until when the tombstone stands. Writes: claim. Locks: the row. Raises: PQ002, PQ013.
declare
    v_now constant timestamptz := pgqueue.clock();
    v_until timestamptz;
begin
    if retention is null or not isfinite(retention) or retention < '1 s' or retention > '36600 days' then
        perform pgqueue.fault('PQ002', format('retention must be 1 s .. 36600 days, not %s', coalesce(retention::text, 'null')),
                              'It must outlast every redelivery of the message that starts the work.');
    end if;
    update pgqueue.claim c
    set state = 'done', done_at = coalesce(c.done_at, v_now), expires_at = case when c.state = 'done' then c.expires_at else v_now + retention end
    where c.name = finish_claim.name and c.key = finish_claim.key and c.token = finish_claim.token and c.state in ('running', 'done')
    returning c.expires_at into v_until;
    if not found then
        perform pgqueue.claim_lost(name, key, token);
    end if;
    return v_until;
end
$$;
