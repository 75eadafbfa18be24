create or replace function pgqueue.retry_parts(generations bigint[], parts integer[])
returns table (generation bigint, part integer)
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
-- Send the dead letters of open parts again where the barrier's policy is retry and the part has retries left; the part is then
-- the new message. A part whose message left no dead letter can't be sent again.
-- Returns: the parts that go on. Writes: as redrive__<queue>; barrier_part.
-- Locks: as redrive__<queue> for each queue, and only then the parts, by (generation, part).
declare
    v_dead record;
    v_old bigint[];
    v_new bigint[];
    v_queues text[] := '{}';
    v_ids bigint[] := '{}';
    v_next_ids bigint[] := '{}';
begin
    for v_dead in
        select p.queue, array_agg(p.msg_id order by p.msg_id) as ids
        from (select distinct u.generation, u.part from unnest($1, $2) u(generation, part)) u
        join pgqueue.barrier b on b.generation = u.generation and b.state = 'live' and b.policy = 'retry'
        join pgqueue.barrier_part p on p.generation = u.generation and p.part = u.part and p.state = 'open' and p.tries < b.retries
        group by p.queue order by p.queue
    loop
        continue when to_regproc(format('pgqueue.%I', 'redrive__' || v_dead.queue)) is null;
        execute format('select coalesce(array_agg(a.old_id), ''{}''), coalesce(array_agg(a.new_id), ''{}'') from pgqueue.%I($1) a', 'redrive__' || v_dead.queue)
        into v_old, v_new using v_dead.ids;
        v_queues := v_queues || array_fill(v_dead.queue, array[cardinality(v_old)]);
        v_ids := v_ids || v_old;
        v_next_ids := v_next_ids || v_new;
    end loop;
    if v_ids = '{}' then
        return;
    end if;
    return query
        with given as materialized (
            select distinct on (u.generation, u.part) u.generation, u.part from unnest($1, $2) u(generation, part) order by u.generation, u.part
        )
        update pgqueue.barrier_part p set msg_id = a.next_id, tries = p.tries + 1
        from given g, unnest(v_queues, v_ids, v_next_ids) a(queue, id, next_id)
        where p.generation = g.generation and p.part = g.part and p.state = 'open' and p.queue = a.queue and p.msg_id = a.id
        returning p.generation, p.part;
end
$$;
