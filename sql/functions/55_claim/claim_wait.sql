create or replace function pgqueue.claim_wait(name text, key text)
returns interval
language plpgsql security definer stable
set search_path = pg_catalog, pg_temp
as $$
-- How long whoever did not get a claim has to wait before it may be had: what is left of its lease.
-- Returns: 0 s and more; null: it is done, there is nothing to wait for. Raises: PQ002.
declare
    v_now constant timestamptz := pgqueue.clock();
    v_wait interval;
    v_done boolean;
begin
    perform pgqueue.check_claim(name, key);
    select c.expires_at - v_now, c.state = 'done' into v_wait, v_done
    from pgqueue.claim c where c.name = claim_wait.name and c.key = claim_wait.key;
    return case when v_done and v_wait > '0 s' then null else greatest(coalesce(v_wait, '0 s'), '0 s') end;
end
$$;
