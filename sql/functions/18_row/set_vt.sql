create or replace function pgqueue.set_vt__template_queue(msg_id bigint, vt interval, receipt bigint default null)
returns text
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
-- Move one message's vt to vt from now, forward or back; the lease and its receipt stay. Waits for the row, then reads
-- the clock, so that the wait is not taken from the lease.
-- Returns: done, gone or stale. Writes: r_(vt). Locks: the row. Raises: PQ002.
declare
    v_id constant bigint := msg_id;
    v_vt constant interval := vt;
    v_receipt constant bigint := receipt;
    v_until timestamptz;
begin
    perform pgqueue.check_read(v_vt, 1);
    perform from pgqueue.r_template_queue r
    where r.msg_id = v_id and (v_receipt is null or r.receipt = v_receipt) for update;
    if not found then
        return case when exists (select from pgqueue.r_template_queue r where r.msg_id = v_id) then 'stale' else 'gone' end;
    end if;
    v_until := pgqueue.clock() + v_vt;
    update pgqueue.r_template_queue r set vt = v_until where r.msg_id = v_id;
    return 'done';
end
$$;
