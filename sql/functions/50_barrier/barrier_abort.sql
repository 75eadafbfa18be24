create or replace function pgqueue.barrier_abort(key text, reason text default null, generation bigint default null)
returns text
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
-- End the live barrier of a key (null: whichever generation) without its callback; on_failure is sent. Parts that still run are
-- acked as they end, and count for nothing.
-- Returns: aborted; ended (none of the key is live any more); unknown (there never was one, or it is forgotten).
-- Writes: barrier, a queue. Locks: the barrier.
declare
    v_now constant timestamptz := pgqueue.clock();
    v_reason constant text := left(coalesce(pgqueue.clean_text(reason), 'aborted'), 1000);
    v_generation bigint;
begin
    update pgqueue.barrier b set state = 'aborted', ended_at = v_now, kept_until = v_now + b.retention, reason = v_reason
    where b.key = barrier_abort.key and b.state = 'live' and (barrier_abort.generation is null or b.generation = barrier_abort.generation)
    returning b.generation into v_generation;
    if found then
        perform pgqueue.fire_barrier(v_generation);
        return 'aborted';
    end if;
    return case when exists (select from pgqueue.barrier b where b.key = barrier_abort.key
                             and (barrier_abort.generation is null or b.generation = barrier_abort.generation)) then 'ended' else 'unknown' end;
end
$$;
