create or replace function pgqueue.archive_batch__template_queue(msg_ids bigint[], receipts bigint[] default null)
returns table (msg_id bigint, outcome text)
language plpgsql security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set enable_bitmapscan = off
as $$
-- Ack many messages and keep them in the archive with who held them last and who archived them.
-- Returns: done, gone or stale for each distinct id. Writes: r_, a_. Locks: rows by msg_id.
-- Raises: PQ002.
declare
    v_ids constant bigint[] := msg_ids;
    v_receipts constant bigint[] := receipts;
    v_receipt constant bigint := case when v_receipts[1] = all (v_receipts) then v_receipts[1] end; -- one for all: no pairs
    v_now constant timestamptz := pgqueue.clock();
    v_done bigint[];
begin
    perform pgqueue.check_batch(v_ids, v_receipts);
    with gone as (
        delete from pgqueue.r_template_queue r
        where r.msg_id = any (v_ids)
          and (v_receipts is null or r.receipt = v_receipt or v_receipt is null and (r.msg_id, r.receipt) in (select u.i, u.r from unnest(v_ids, v_receipts) u(i, r)))
        returning r.*
    ), kept as (
        insert into pgqueue.a_template_queue (msg_id, outcome, archived_at, archived_by, holder, enqueued_at, last_read_at, read_ct,
                                              release_ct, priority, group_key, error, message, headers)
        select g.msg_id, 'archived', v_now, session_user, g.holder, g.enqueued_at, g.last_read_at, g.read_ct, g.release_ct, g.priority, g.group_key,
               g.error, g.message, g.headers
        from gone g
    )
    select coalesce(array_agg(g.msg_id), '{}') into v_done from gone g;
    if cardinality(v_done) = cardinality(v_ids) then
        return query select u.i, 'done' from unnest(v_ids) u(i);
    else
        return query select o.msg_id, o.outcome from pgqueue.outcomes__template_queue(v_ids, v_done) o;
    end if;
end
$$;
