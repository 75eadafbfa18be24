create or replace function pgqueue.barrier_ack(queue text, msg_ids bigint[], receipts bigint[], generations bigint[], parts integer[],
                                               results jsonb[] default null, archive boolean default false)
returns table (msg_id bigint, outcome text, fired boolean)
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
-- Ack the messages of parts by their receipts, and let the parts whose ack was done arrive, with their results: one transaction.
-- A stale or gone message arrives nowhere. What the header pgqueue-part of each message says goes into generations and parts.
-- Returns: as delete_batch; fired: a barrier ended with this call. Writes, locks: as delete_batch__<queue> (archive: archive_batch),
-- then as end_parts. Raises: PQ001, PQ002, PQ003 (a result over 16 MiB).
declare
    c_limit constant integer := 16777216;
    v_ids bigint[];
    v_outcomes text[];
    v_stale bigint[];
    v_done record;
    v_fired boolean;
begin
    perform pgqueue.check_part_arrays(msg_ids, receipts, generations, parts, cardinality(results));
    perform pgqueue.check_payload(u.r, c_limit, format('results[%s]', u.i)) from unnest(results) with ordinality u(r, i)
    where octet_length(u.r::text) > 256 and (octet_length(u.r::text) > c_limit or pgqueue.is_suspect(u.r));
    perform pgqueue.require_queue(queue);
    execute format('select array_agg(b.msg_id), array_agg(b.outcome), array_agg(b.msg_id) filter (where b.outcome <> ''done'') from pgqueue.%I($1, $2) b',
                   case when archive then 'archive_batch__' else 'delete_batch__' end || queue)
    into v_ids, v_outcomes, v_stale using msg_ids, receipts;
    select array_agg(u.msg_id) as ids, array_agg(u.generation) as generations, array_agg(u.part) as parts, array_agg(u.result) as results into v_done
    from unnest(msg_ids, generations, parts, results) u(msg_id, generation, part, result)
    where v_stale is null or u.msg_id <> all (v_stale);
    perform pgqueue.follow_redrives(queue, v_done.ids, v_done.generations, v_done.parts);
    select bool_or(e.state <> 'live') into v_fired
    from pgqueue.end_parts(v_done.generations, v_done.parts, array_fill('done'::text, array[coalesce(cardinality(v_done.ids), 0)]),
                           v_done.results, null, queue, v_done.ids) e;
    return query select u.msg_id, u.outcome, coalesce(v_fired, false) from unnest(v_ids, v_outcomes) u(msg_id, outcome);
end
$$;
