create or replace function pgqueue.delete__template_queue(msg_id bigint, receipt bigint default null)
returns text
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
-- Ack one message; with a receipt only if the lease is still the caller's (an expired one that nobody took again is).
-- Returns: done, gone or stale. Writes: r_. Locks: the row.
declare
    v_id constant bigint := msg_id;
    v_receipt constant bigint := receipt;
begin
    delete from pgqueue.r_template_queue r where r.msg_id = v_id and (v_receipt is null or r.receipt = v_receipt);
    if found then
        return 'done';
    end if;
    return case when exists (select from pgqueue.r_template_queue r where r.msg_id = v_id) then 'stale' else 'gone' end;
end
$$;
