create or replace function pgqueue.fail_lost_parts(generation bigint, parts integer[])
returns integer
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
-- Fail those of the open parts whose message died or went without their knowing: buried by read or by hand, purged, dropped with
-- its queue. One that was sent again by hand is followed.
-- Returns: how many parts were lost or followed. Writes, locks: parts, or as fail_parts.
declare
    v_generation constant bigint := generation;
    v_lost record;
begin
    select array_agg(l.part) filter (where l.state = 'redriven') as moved, array_agg(l.next_id) filter (where l.state = 'redriven') as next_ids,
           array_agg(l.part) filter (where l.state <> 'redriven') as parts, array_agg(l.msg_id) filter (where l.state <> 'redriven') as ids,
           array_agg(concat_ws(': ', l.state, l.error)) filter (where l.state <> 'redriven') as errors, count(*)::integer as changed into v_lost
    from pgqueue.lost_parts(v_generation, parts) l;
    if v_lost.moved is not null then
        -- In a step of its own: what is lost beside it is found by the next look. A retry takes group locks, which come before parts.
        update pgqueue.barrier_part p set msg_id = u.next_id
        from unnest(v_lost.moved, v_lost.next_ids) u(part, next_id)
        where p.generation = v_generation and p.part = u.part and p.state = 'open' and p.msg_id < u.next_id;
        return cardinality(v_lost.moved);
    end if;
    perform f.state
    from pgqueue.fail_parts(array_fill(v_generation, array[coalesce(cardinality(v_lost.parts), 0)]), v_lost.parts, v_lost.errors, null, v_lost.ids) f;
    return v_lost.changed;
end
$$;
