create or replace function pgqueue.barrier_bury(queue text, msg_ids bigint[], receipts bigint[], generations bigint[], parts integer[],
                                                reasons text[], errors text[] default null)
returns table (msg_id bigint, outcome text, fired boolean)
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
-- Bury the messages of parts, and fail the parts whose burial was done, under the policies of their barriers: one transaction.
-- Returns: as bury_batch; fired: a barrier ended with this call. Writes, locks: as bury_batch__<queue>, then as fail_parts.
-- Raises: PQ001, PQ002.
declare
    v_ids bigint[];
    v_outcomes text[];
    v_stale bigint[];
    v_done record;
    v_fired boolean;
begin
    perform pgqueue.check_part_arrays(msg_ids, receipts, generations, parts);
    perform pgqueue.require_queue(queue);
    execute format('select array_agg(b.msg_id), array_agg(b.outcome), array_agg(b.msg_id) filter (where b.outcome <> ''done'')
                    from pgqueue.%I($1, $2, $3, $4) b', 'bury_batch__' || queue)
    into v_ids, v_outcomes, v_stale using msg_ids, reasons, errors, receipts;
    select array_agg(u.msg_id) as ids, array_agg(u.generation) as generations, array_agg(u.part) as parts,
           array_agg(concat_ws(': ', u.reason, u.error)) as errors into v_done
    from unnest(msg_ids, generations, parts, reasons, errors) u(msg_id, generation, part, reason, error)
    where v_stale is null or u.msg_id <> all (v_stale);
    perform pgqueue.follow_redrives(queue, v_done.ids, v_done.generations, v_done.parts);
    select bool_or(f.state in ('done', 'failed')) into v_fired
    from pgqueue.fail_parts(v_done.generations, v_done.parts, v_done.errors, queue, v_done.ids) f;
    return query select u.msg_id, u.outcome, coalesce(v_fired, false) from unnest(v_ids, v_outcomes) u(msg_id, outcome);
end
$$;
