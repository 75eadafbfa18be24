create or replace function pgqueue.barrier_fail(key text, generation bigint, part integer, error text default null)
returns text
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
-- Note that a part will never do its work: in the transaction that buries its message (barrier_bury does both). Policy abort: the
-- barrier fails. collect: the part counts as ended. retry: its dead letter is sent again while there are retries; then as abort.
-- Returns: as part_outcome. Writes, locks: as fail_parts.
declare
    v_state text;
begin
    if exists (select from pgqueue.barrier b where b.generation = barrier_fail.generation and b.key = barrier_fail.key) then
        select f.state into v_state from pgqueue.fail_parts(array[generation], array[part], array[error]) f;
    end if;
    return pgqueue.part_outcome(key, generation, part, v_state);
end
$$;
