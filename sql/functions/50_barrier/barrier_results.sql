create or replace function pgqueue.barrier_results(key text, generation bigint, after_part integer default -1, qty integer default 100)
returns table (part integer, state text, result jsonb, error text)
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
-- A page of what the parts of a barrier brought, in the order of the parts; page on with the last part as after_part.
-- Returns: one row a part: open, done (with its result) or failed (with its error). Raises: PQ002.
begin
    if qty is null or qty not between 1 and 10000 then
        perform pgqueue.fault('PQ002', format('qty must be 1 .. 10000, not %s', coalesce(qty::text, 'null')), 'Take the next page for more.');
    end if;
    return query
        select p.part, p.state, p.result, p.error
        from pgqueue.barrier_part p
        where p.generation = (select b.generation from pgqueue.barrier b where b.generation = $2 and b.key = $1) and p.part > $3
        order by p.part limit $4;
end
$$;
