create or replace function pgqueue.set_vt_batch__template_log(msg_ids bigint[], vt interval, receipts bigint[] default null)
returns table (msg_id bigint, outcome text)
language plpgsql security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set enable_bitmapscan = off
as $$
-- Renew many leases: vt from now, forward or back. Asked for all that is left of a claim, it renews the claim: one row, whatever
-- its qty. Asked for a part, it moves that part to the row side first, so that nobody else's lease changes.
-- Returns: done, gone, stale or busy for each distinct id. Writes: c_(vt), or l_, m_, r_. Locks: the claims, skipped when locked
-- (they lapse just now); then as the row kind. Raises: PQ002.
declare
    v_ids constant bigint[] := msg_ids;
    v_vt constant interval := vt;
    v_receipts constant bigint[] := case when cardinality(receipts) = 1 then array_fill(receipts[1], array[cardinality(msg_ids)]) else receipts end;
    v_claim record;
    v_left bigint[];
    v_until timestamptz;
    v_done bigint[] := '{}';
    v_busy bigint[] := '{}';
begin
    perform pgqueue.check_batch(v_ids, receipts);
    perform pgqueue.check_read(v_vt, 1);
    for v_claim in
        select distinct c.lo, c.hi, c.receipt
        from unnest(v_ids, v_receipts) u(id, receipt)
        cross join lateral (select c.* from pgqueue.c_template_log c where c.lo between u.id - 999 and u.id order by c.lo desc limit 1) c
        where c.receipt = u.receipt and c.hi >= u.id
        order by c.lo
    loop
        perform from pgqueue.c_template_log c where c.lo = v_claim.lo and c.receipt = v_claim.receipt for update skip locked;
        if not found then
            v_busy := v_busy || array(select i from unnest(v_ids) i where i between v_claim.lo and v_claim.hi);
            continue;
        end if;
        -- After the lock: whoever lets the claim lapse moves messages under it.
        v_left := array(
            select o.msg_id
            from (select l.msg_id from pgqueue.l_template_log l where l.msg_id between v_claim.lo and v_claim.hi
                  union all select m.msg_id from pgqueue.m_template_log m where m.msg_id between v_claim.lo and v_claim.hi) o
            where not exists (select from pgqueue.c_template_log c where c.lo = v_claim.lo and o.msg_id = any (c.gaps)));
        if v_left <> '{}' and not exists (select unnest(v_left) except select unnest(v_ids)) then
            v_until := pgqueue.clock() + v_vt;
            update pgqueue.c_template_log c set vt = v_until where c.lo = v_claim.lo;
            v_done := v_done || v_left;
        end if;
    end loop;
    if cardinality(v_done) < cardinality(v_ids) then
        v_left := array(select u.id from unnest(v_ids) with ordinality u(id, i) where u.id <> all (v_done || v_busy) order by u.i);
        if v_left <> '{}' then
            perform pgqueue.adopt__template_log(v_left, case when receipts is not null then array(
                select r.receipt from unnest(v_ids, v_receipts) with ordinality r(id, receipt, i) where r.id = any (v_left) order by r.i) end);
            return query
                select b.msg_id, b.outcome from pgqueue.row_set_vt_batch__template_log(v_left, v_vt, case when receipts is not null then array(
                    select r.receipt from unnest(v_ids, v_receipts) with ordinality r(id, receipt, i) where r.id = any (v_left) order by r.i) end) b;
        end if;
    end if;
    return query select distinct i, case when i = any (v_done) then 'done' else 'busy' end from unnest(v_ids) i where i = any (v_done || v_busy);
end
$$;
