create or replace function pgqueue.follow_redrives(queue text, msg_ids bigint[], generations bigint[], parts integer[])
returns void
language plpgsql security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set enable_bitmapscan = off
set enable_hashjoin = off
set enable_mergejoin = off
as $$
-- Where a part's dead letter was sent again by hand, the part is the new message from now on.
-- Writes: barrier_part. Locks: those parts, by (generation, part).
begin
    with given as materialized (
        select u.msg_id, u.generation, u.part from unnest(msg_ids, generations, parts) u(msg_id, generation, part) order by u.generation, u.part
    )
    update pgqueue.barrier_part p set msg_id = g.msg_id
    from given g
    where p.generation = g.generation and p.part = g.part and p.state = 'open' and p.queue = $1 and p.msg_id < g.msg_id
      and pgqueue.is_redrive_of($1, p.msg_id, g.msg_id);
end
$$;
