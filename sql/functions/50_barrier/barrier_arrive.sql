create or replace function pgqueue.barrier_arrive(key text, generation bigint, part integer, result jsonb default null)
returns text
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
-- Note that a part has done its work, with its result: in the transaction that acks its message (barrier_ack does both). Safe to
-- repeat: a part arrives once.
-- Returns: as part_outcome. Writes, locks: as end_parts. Raises: PQ003 (a result over 16 MiB).
declare
    v_state text;
begin
    if result is not null then
        perform pgqueue.check_payload(result, 16777216, 'result');
    end if;
    if exists (select from pgqueue.barrier b where b.generation = barrier_arrive.generation and b.key = barrier_arrive.key) then
        select e.state into v_state from pgqueue.end_parts(array[generation], array[part], '{done}', array[result], null) e;
    end if;
    return pgqueue.part_outcome(key, generation, part, v_state);
end
$$;
