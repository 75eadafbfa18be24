create or replace function pgqueue.lapse__template_log(due timestamptz, qty integer, floor timestamptz default '-infinity')
returns integer
language plpgsql
as $$
-- Move at most qty messages of expired claims to the row side, each with the lease it had (its receipt stays good until somebody
-- takes it again), where the same read leases them. Works in any READ COMMITTED transaction; no process is needed for redelivery.
-- A message that came to light in a gap of the claim was never handed out: it carries no read. A claim with nothing left goes.
-- Returns: how many moved. Writes: l_, m_, c_, r_. Locks: claims by vt, then their messages by msg_id; locked ones are skipped.
declare
    v_claim record;
    v_moved integer := 0;
    v_got integer;
    v_vt timestamptz := floor;
    v_lo bigint := 0;
begin
    for v_try in 1 .. 100 loop
        select c.* into v_claim from pgqueue.c_template_log c
        where c.vt <= due and (c.vt, c.lo) > (v_vt, v_lo) order by c.vt, c.lo limit 1 for update skip locked;
        exit when not found;
        v_vt := v_claim.vt;
        v_lo := v_claim.lo;
        if v_claim.lo & 131072 = 0 then
            with gone as (
                delete from pgqueue.l_template_log l where l.msg_id = any (array(
                    select o.msg_id from pgqueue.l_template_log o where o.msg_id between v_claim.lo and v_claim.hi
                    order by o.msg_id limit qty - v_moved for update skip locked))
                returning l.*, l.msg_id = any (v_claim.gaps) is not true as claimed
            )
            insert into pgqueue.r_template_log (msg_id, enqueued_at, vt, last_read_at, receipt, read_ct, message, headers, holder)
            select g.msg_id, g.enqueued_at, v_claim.vt, case when g.claimed then v_claim.read_at end, case when g.claimed then v_claim.receipt end,
                   g.claimed::integer, g.message, g.headers, case when g.claimed then v_claim.holder end
            from gone g;
        else
            with gone as (
                delete from pgqueue.m_template_log m where m.msg_id = any (array(
                    select o.msg_id from pgqueue.m_template_log o where o.msg_id between v_claim.lo and v_claim.hi
                    order by o.msg_id limit qty - v_moved for update skip locked))
                returning m.*, m.msg_id = any (v_claim.gaps) is not true as claimed
            )
            insert into pgqueue.r_template_log (msg_id, enqueued_at, vt, last_read_at, receipt, read_ct, message, headers, holder)
            select g.msg_id, g.enqueued_at, v_claim.vt, case when g.claimed then v_claim.read_at end, case when g.claimed then v_claim.receipt end,
                   g.claimed::integer, g.message, g.headers, case when g.claimed then v_claim.holder end
            from gone g;
        end if;
        get diagnostics v_got = row_count;
        v_moved := v_moved + v_got;
        if not exists (select from pgqueue.l_template_log l where l.msg_id between v_claim.lo and v_claim.hi
                       union all select from pgqueue.m_template_log m where m.msg_id between v_claim.lo and v_claim.hi) then
            delete from pgqueue.c_template_log c where c.lo = v_claim.lo;
        end if;
        exit when v_moved >= qty;
    end loop;
    return v_moved;
end
$$;
