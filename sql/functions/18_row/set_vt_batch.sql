create or replace function pgqueue.set_vt_batch__template_queue(msg_ids bigint[], vt interval, receipts bigint[] default null)
returns table (msg_id bigint, outcome text)
language plpgsql security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set enable_bitmapscan = off
as $$
-- Renew many leases: vt from now, forward or back. A locked row is being settled or claimed: it is left out at once and
-- answers busy, so that one open transaction never holds up the renewal of the others.
-- Returns: done, gone, stale or busy for each distinct id. Writes: r_(vt). Locks: rows by msg_id. Raises: PQ002.
declare
    v_ids constant bigint[] := msg_ids;
    v_receipts constant bigint[] := receipts;
    v_receipt constant bigint := case when v_receipts[1] = all (v_receipts) then v_receipts[1] end; -- one for all: no pairs
    v_vt constant interval := vt;
    v_done bigint[];
    v_held bigint[];
    v_until timestamptz;
begin
    perform pgqueue.check_batch(v_ids, v_receipts);
    perform pgqueue.check_read(v_vt, 1);
    v_done := array(
        select r.msg_id from pgqueue.r_template_queue r
        where r.msg_id = any (v_ids)
          and (v_receipts is null or r.receipt = v_receipt or v_receipt is null and (r.msg_id, r.receipt) in (select u.i, u.r from unnest(v_ids, v_receipts) u(i, r)))
        order by r.msg_id for update skip locked);
    v_until := pgqueue.clock() + v_vt;
    update pgqueue.r_template_queue r set vt = v_until where r.msg_id = any (v_done);
    if cardinality(v_done) < cardinality(v_ids) then
        v_held := array(
            select r.msg_id from pgqueue.r_template_queue r
            where r.msg_id = any (v_ids)
              and (v_receipts is null or r.receipt = v_receipt or v_receipt is null and (r.msg_id, r.receipt) in (select u.i, u.r from unnest(v_ids, v_receipts) u(i, r))));
    end if;
    return query
        select o.msg_id, case when o.outcome = 'stale' and o.msg_id = any (v_held) then 'busy' else o.outcome end
        from pgqueue.outcomes__template_queue(v_ids, v_done) o;
end
$$;
