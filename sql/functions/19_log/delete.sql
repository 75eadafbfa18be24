create or replace function pgqueue.delete__template_log(msg_id bigint, receipt bigint default null)
returns text
language plpgsql security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set enable_bitmapscan = off
set enable_sort = off
as $$
-- Ack one message; with a receipt only if the lease is still the caller's (an expired one that nobody took again is).
-- Looks in the log, then on the row side, as two statements: a message that moves between them is found by the second.
-- Returns: done, gone or stale. Writes: l_ or m_, or r_; c_. Locks: the claim, the row.
declare
    v_id constant bigint := msg_id;
    v_receipt constant bigint := receipt;
    v_proven boolean := v_receipt is null;
begin
    if not v_proven then
        -- A claim of one message goes with it.
        delete from pgqueue.c_template_log c where c.lo = v_id and c.qty = 1 and c.receipt = v_receipt and c.gaps is null;
        v_proven := found or exists (
            select from (select c.* from pgqueue.c_template_log c where c.lo between v_id - 999 and v_id order by c.lo desc limit 1) c
            where c.receipt = v_receipt and c.hi >= v_id and (c.gaps is null or v_id <> all (c.gaps)));
    end if;
    if v_proven then
        if v_id & 131072 = 0 then
            delete from pgqueue.l_template_log l where l.msg_id = v_id;
        else
            delete from pgqueue.m_template_log m where m.msg_id = v_id;
        end if;
        if found then
            return 'done';
        end if;
    end if;
    delete from pgqueue.r_template_log r where r.msg_id = v_id and (v_receipt is null or r.receipt = v_receipt);
    if found then
        return 'done';
    end if;
    return (select o.outcome from pgqueue.outcomes__template_log(array[v_id], '{}') o);
end
$$;
