create or replace function pgqueue.claim_lost(name text, key text, token bigint)
returns void
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
-- Refuse whoever held a claim once, loudly, so that what it wrote in this transaction is rolled back.
-- Raises: PQ013.
declare
    v_now constant text := (select format('%s, token %s, holder %s', c.state, c.token, coalesce(pgqueue.quoted(c.holder), 'unnamed'))
                            from pgqueue.claim c where c.name = claim_lost.name and c.key = claim_lost.key);
begin
    perform pgqueue.fault('PQ013', format('claim %s of %s with token %s was lost', pgqueue.quoted(key), pgqueue.quoted(name), coalesce(token::text, 'null')),
                          'Drop what you did under it: another holder may have done it. A longer lease, or renew_claim, avoids this.',
                          coalesce('now: ' || v_now, 'now: nobody has it'));
end
$$;
