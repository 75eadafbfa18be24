create or replace function pgqueue.forget_claims(qty integer default 1000)
returns integer
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
-- Remove up to qty tombstones past their retention, and claims that lapsed or were released a day ago.
-- Returns: how many. Writes: claim. Locks: those rows; locked ones are skipped. Raises: PQ002.
declare
    v_now constant timestamptz := pgqueue.clock();
    v_gone integer;
begin
    if qty is null or qty not between 1 and 10000 then
        perform pgqueue.fault('PQ002', format('qty must be 1 .. 10000, not %s', coalesce(qty::text, 'null')), 'Call again for more.');
    end if;
    delete from pgqueue.claim c
    where c.ctid = any (array(
        select o.ctid from pgqueue.claim o
        where o.expires_at <= v_now and (o.state = 'done' or o.expires_at <= v_now - interval '1 day')
        order by o.expires_at limit qty for update skip locked));
    get diagnostics v_gone = row_count;
    return v_gone;
end
$$;
