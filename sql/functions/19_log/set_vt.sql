create or replace function pgqueue.set_vt__template_log(msg_id bigint, vt interval, receipt bigint default null)
returns text
language plpgsql security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set enable_bitmapscan = off
set enable_sort = off
as $$
-- Move one message's vt to vt from now; as set_vt_batch, but waits for who holds it.
-- Returns: done, gone or stale. Writes: c_(vt), or l_, m_, r_(vt). Locks: the claim or the row. Raises: PQ002.
declare
    v_receipts constant bigint[] := case when receipt is not null then array[receipt] end;
    v_outcome text;
begin
    select b.outcome into v_outcome from pgqueue.set_vt_batch__template_log(array[msg_id], vt, v_receipts) b;
    if v_outcome = 'busy' then
        perform pgqueue.adopt__template_log(array[msg_id], v_receipts);
        v_outcome := pgqueue.row_set_vt__template_log(msg_id, vt, receipt);
    end if;
    return v_outcome;
end
$$;
