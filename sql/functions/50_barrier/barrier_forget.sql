create or replace function pgqueue.barrier_forget(qty integer default 10000)
returns integer
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
-- Remove up to qty parts of the ended barrier that has been kept longest past its retention, and the barrier with its last part.
-- Returns: how many rows went; 0 when none is due. Writes: barrier_part, barrier.
-- Locks: the barrier, unless somebody has it; no part of an ended one waits for it. Raises: PQ002.
declare
    v_now constant timestamptz := pgqueue.clock();
    v_generation bigint;
    v_parts integer;
begin
    if qty is null or qty not between 1 and 10000 then
        perform pgqueue.fault('PQ002', format('qty must be 1 .. 10000, not %s', coalesce(qty::text, 'null')), 'Call again for more.');
    end if;
    select b.generation into v_generation from pgqueue.barrier b
    where b.state <> 'live' and b.kept_until <= v_now order by b.kept_until limit 1 for update skip locked;
    if not found then
        return 0;
    end if;
    delete from pgqueue.barrier_part p
    where p.generation = v_generation and p.part = any (array(select o.part from pgqueue.barrier_part o where o.generation = v_generation order by o.part limit qty));
    get diagnostics v_parts = row_count;
    if v_parts < qty then
        delete from pgqueue.barrier b where b.generation = v_generation;
        return v_parts + 1;
    end if;
    return v_parts;
end
$$;
