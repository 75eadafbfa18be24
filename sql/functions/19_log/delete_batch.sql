create or replace function pgqueue.delete_batch__template_log(msg_ids bigint[], receipts bigint[] default null)
returns table (msg_id bigint, outcome text)
language plpgsql security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set enable_bitmapscan = off
set enable_sort = off
as $$
-- Ack many messages, each fenced by its own receipt. The common case, a read's messages under its one receipt, takes one look at
-- c_ and one DELETE; a claim that is acked whole goes with them.
-- Returns: done, gone or stale for each distinct id. Writes: l_, m_, r_, c_. Locks: rows by msg_id, the log before the row side.
-- Raises: PQ002.
declare
    v_ids constant bigint[] := msg_ids;
    v_receipts constant bigint[] := receipts;
    v_count constant integer := cardinality(v_ids);
    v_receipt constant bigint := case when v_receipts[1] = all (v_receipts) then v_receipts[1] end; -- one for all: no pairs
    v_claim record;
    v_mine bigint[];
    v_gone bigint[];
    v_done bigint[];
begin
    perform pgqueue.check_batch(v_ids, v_receipts);
    select c.lo, c.hi, c.qty, c.gaps into v_claim from pgqueue.c_template_log c where c.lo = v_ids[1] and c.receipt = v_receipt;
    if not found then
        select c.lo, c.hi, c.qty, c.gaps into v_claim
        from (select c.* from pgqueue.c_template_log c where c.lo between v_ids[v_count] - 999 and v_ids[v_count] order by c.lo desc limit 1) c
        where c.receipt = v_receipt and c.hi >= v_ids[v_count];
    end if;
    if found and v_claim.gaps is null then
        if v_claim.lo & 131072 = 0 then
            with gone as (delete from pgqueue.l_template_log l where l.msg_id = any (v_ids) and l.msg_id between v_claim.lo and v_claim.hi returning l.msg_id)
            select array_agg(g.msg_id) into v_done from gone g;
        else
            with gone as (delete from pgqueue.m_template_log m where m.msg_id = any (v_ids) and m.msg_id between v_claim.lo and v_claim.hi returning m.msg_id)
            select array_agg(g.msg_id) into v_done from gone g;
        end if;
        if cardinality(v_done) = v_claim.qty then
            delete from pgqueue.c_template_log c where c.lo = any (array(select o.lo from pgqueue.c_template_log o where o.lo = v_claim.lo and o.gaps is null for update skip locked));
        end if;
        if cardinality(v_done) = v_count then
            return query select u.i, 'done' from unnest(v_ids) u(i);
            return;
        end if;
    end if;
    -- From several claims, from the row side, or not all there.
    v_mine := case when v_receipts is null then v_ids else array(
        select u.id
        from unnest(v_ids, case when v_receipt is not null then array_fill(v_receipt, array[v_count]) else v_receipts end) u(id, receipt)
        cross join lateral (select c.hi, c.receipt, c.gaps from pgqueue.c_template_log c where c.lo between u.id - 999 and u.id order by c.lo desc limit 1) c
        where c.receipt = u.receipt and c.hi >= u.id and (c.gaps is null or u.id <> all (c.gaps))) end;
    with gone as (delete from pgqueue.l_template_log l where l.msg_id = any (v_mine) returning l.msg_id),
    gone_too as (delete from pgqueue.m_template_log m where m.msg_id = any (v_mine) returning m.msg_id)
    select array_agg(g.msg_id) into v_gone from (select * from gone union all select * from gone_too) g;
    v_done := coalesce(v_done, '{}') || v_gone;
    with gone as (
        delete from pgqueue.r_template_log r
        where r.msg_id = any (v_ids)
          and (v_receipts is null or r.receipt = v_receipt or v_receipt is null and (r.msg_id, r.receipt) in (select u.i, u.r from unnest(v_ids, v_receipts) u(i, r)))
        returning r.msg_id
    )
    select array_agg(g.msg_id) into v_gone from gone g;
    v_done := v_done || v_gone;
    return query select o.msg_id, o.outcome from pgqueue.outcomes__template_log(v_ids, v_done) o;
end
$$;
