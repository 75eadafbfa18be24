create or replace function pgqueue.end_parts(generations bigint[], parts integer[], states text[], results jsonb[], errors text[],
                                             queue text default null, msg_ids bigint[] default null)
returns table (generation bigint, state text)
language plpgsql security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set enable_bitmapscan = off
set enable_hashjoin = off
set enable_mergejoin = off
as $$
-- The one place where parts end. A part ends once: only an open one is written, and only what was written is counted. The rows of
-- the parts come first, each barrier after them, once a call; whoever takes the last open part from a live barrier holds its row
-- until commit and sends the callback. With queue and msg_ids, a part ends only if that is its message.
-- Returns: each live barrier that a part was taken from, and its state now: live, done or failed.
-- Writes: barrier_part, barrier, the queue of a callback. Locks: parts by (generation, part), then barriers by generation.
declare
    v_queue constant text := queue;
    v_now constant timestamptz := pgqueue.clock();
    v_barrier record;
begin
    for v_barrier in
        with given as materialized (
            select distinct on (u.generation, u.part) u.generation, u.part, u.state, u.result, u.error, u.msg_id
            from unnest(generations, parts, states, results, errors, msg_ids) u(generation, part, state, result, error, msg_id)
            order by u.generation, u.part
        ), ended as (
            update pgqueue.barrier_part p
            set state = g.state, result = g.result, error = g.error, ended_at = v_now
            from given g
            where p.generation = g.generation and p.part = g.part and p.state = 'open'
              and (g.msg_id is null or p.msg_id = g.msg_id) and (v_queue is null or p.queue = v_queue)
            returning p.generation, p.part, p.state, p.error
        ), counted as materialized (
            select e.generation, count(*)::integer as ended, (count(*) filter (where e.state = 'failed'))::integer as failed,
                   (array_agg(left(format('part %s: %s', e.part, e.error), 1000) order by e.part) filter (where e.state = 'failed'))[1] as reason
            from ended e group by e.generation order by e.generation
        )
        update pgqueue.barrier b
        set open = b.open - c.ended, failed = b.failed + c.failed, last_progress_at = greatest(b.last_progress_at, v_now),
            state = case when c.failed > 0 and b.policy <> 'collect' then 'failed' when b.open = c.ended then 'done' else 'live' end,
            ended_at = case when c.failed > 0 and b.policy <> 'collect' or b.open = c.ended then v_now end,
            kept_until = case when c.failed > 0 and b.policy <> 'collect' or b.open = c.ended then v_now + b.retention end,
            reason = case when c.failed > 0 and b.policy <> 'collect' then c.reason end
        from counted c
        where b.generation = c.generation and b.state = 'live'
        returning b.generation, b.state
    loop
        if v_barrier.state <> 'live' then
            perform pgqueue.fire_barrier(v_barrier.generation);
        end if;
        generation := v_barrier.generation;
        state := v_barrier.state;
        return next;
    end loop;
end
$$;
