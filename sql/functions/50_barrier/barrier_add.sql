create or replace function pgqueue.barrier_add(key text, generation bigint, part integer, parts jsonb)
returns integer
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
-- Let a live part add parts to its barrier, before it arrives: the barrier can't end meanwhile. A part that is handled again adds
-- again, so do it in the transaction that acks the part, or as a step that is done once.
-- Returns: the number of the first added part; null where there are none. Writes: barrier, barrier_part, the queues.
-- Locks: groups by number, the adding part, the barrier, then as send_batch. Raises: PQ001, PQ002, PQ003, PQ008, PQ012.
declare
    v_key constant text := key;
    v_generation constant bigint := generation;
    v_part constant integer := part;
    v_count constant integer := pgqueue.check_parts(parts);
    v_now constant timestamptz := pgqueue.clock();
    v_first integer;
begin
    if v_count = 0 then
        return null;
    end if;
    perform pgqueue.lock_groups(parts);
    perform from pgqueue.barrier_part p where p.generation = v_generation and p.part = v_part and p.state = 'open' for no key update;
    if found then
        update pgqueue.barrier b
        set parts = b.parts + v_count, open = b.open + v_count, last_progress_at = greatest(b.last_progress_at, v_now)
        where b.generation = v_generation and b.key = v_key and b.state = 'live' and b.parts + v_count <= 1000000
        returning b.parts - v_count into v_first;
    end if;
    if v_first is null then
        perform pgqueue.fault('PQ012', format('part %s of barrier %s, generation %s, can''t add %s parts', v_part, pgqueue.quoted(v_key), v_generation, v_count),
                              'Only a part that has not ended may add, to a barrier that is live, up to 1,000,000 parts.');
    end if;
    perform pgqueue.send_parts(v_generation, v_key, v_first, parts);
    return v_first;
end
$$;
