create or replace function pgqueue.fail_parts(generations bigint[], parts integer[], errors text[], queue text default null, msg_ids bigint[] default null)
returns table (generation bigint, state text)
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
-- Fail parts under the policies of their barriers: those that can be sent again go on as new messages, the others end as failed.
-- Returns: as end_parts; state retried for the barrier of a part that goes on. Writes, locks: as retry_parts, then as end_parts.
declare
    v_errors constant text[] := array(select pgqueue.clean_text(u.e) from unnest(errors) with ordinality u(e, i) order by u.i);
    v_again_generations bigint[];
    v_again_parts integer[];
    v_failed record;
begin
    select array_agg(r.generation), array_agg(r.part) into v_again_generations, v_again_parts from pgqueue.retry_parts($1, $2) r;
    select array_agg(u.generation) as generations, array_agg(u.part) as parts, array_agg(coalesce(u.error, 'failed')) as errors, array_agg(u.msg_id) as msg_ids into v_failed
    from unnest($1, $2, v_errors, $5) u(generation, part, error, msg_id)
    where (u.generation, u.part) not in (select a.generation, a.part from unnest(v_again_generations, v_again_parts) a(generation, part));
    return query
        select distinct a.generation, 'retried' from unnest(v_again_generations) a(generation)
        union all
        select e.generation, e.state
        from pgqueue.end_parts(v_failed.generations, v_failed.parts, array_fill('failed'::text, array[coalesce(cardinality(v_failed.parts), 0)]),
                               null, v_failed.errors, $4, v_failed.msg_ids) e;
end
$$;
