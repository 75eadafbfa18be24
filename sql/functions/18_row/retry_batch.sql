create or replace function pgqueue.retry_batch__template_queue(msg_ids bigint[], delays interval[], errors text[] default null, receipts bigint[] default null)
returns table (msg_id bigint, outcome text)
language plpgsql security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set enable_bitmapscan = off
as $$
-- Give many leases back, each to be seen again after its delay, with what went wrong. Ends the receipts; counts as a read.
-- Returns: done, gone or stale for each distinct id. Writes: r_(vt, receipt, error). Locks: rows by msg_id.
-- Raises: PQ002.
declare
    v_ids constant bigint[] := msg_ids;
    v_receipts constant bigint[] := receipts;
    v_receipt constant bigint := case when v_receipts[1] = all (v_receipts) then v_receipts[1] end; -- one for all: no pairs
    v_now constant timestamptz := pgqueue.clock();
    v_errors constant text[] := array(select pgqueue.clean_text(u.e) from unnest(errors) with ordinality u(e, i) order by u.i);
    v_vts timestamptz[];
    v_done bigint[];
begin
    perform pgqueue.check_batch(v_ids, v_receipts, coalesce(cardinality(delays), 0));
    perform pgqueue.check_batch(v_ids, null, cardinality(errors));
    perform pgqueue.check_send(d, null, null, 0) from unnest(delays) d;
    v_vts := array(select v_now + u.d from unnest(delays) with ordinality u(d, i) order by u.i);
    with retried as (
        update pgqueue.r_template_queue r
        set vt = v_vts[array_position(v_ids, r.msg_id)], receipt = null,
            error = coalesce(v_errors[array_position(v_ids, r.msg_id)], r.error)
        where r.msg_id = any (v_ids)
          and (v_receipts is null or r.receipt = v_receipt or v_receipt is null and (r.msg_id, r.receipt) in (select u.i, u.r from unnest(v_ids, v_receipts) u(i, r)))
        returning r.msg_id
    )
    select coalesce(array_agg(g.msg_id), '{}') into v_done from retried g;
    if cardinality(v_done) = cardinality(v_ids) then
        return query select u.i, 'done' from unnest(v_ids) u(i);
    else
        return query select o.msg_id, o.outcome from pgqueue.outcomes__template_queue(v_ids, v_done) o;
    end if;
end
$$;
