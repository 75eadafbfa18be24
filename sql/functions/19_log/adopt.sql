create or replace function pgqueue.adopt__template_log(msg_ids bigint[], receipts bigint[])
returns void
language plpgsql
as $$
-- Move those of the messages that are in the log, and that the receipt proves (null: no proof asked), to the row side with the
-- lease they have: what retry, release, archive, bury and a partial set_vt do before they work on the row.
-- What no claim covers was not read yet, or its reader has not committed; it carries a read that is counted as released unless the
-- cursor is still before it.
-- Writes: l_, m_, r_. Locks: messages by msg_id. Raises: nothing of its own.
declare
    v_receipts constant bigint[] := case when cardinality(receipts) = 1 then array_fill(receipts[1], array[cardinality(msg_ids)]) else receipts end;
    v_cursor bigint;
    v_ids bigint[];
begin
    v_ids := array(
        select u.id
        from unnest(msg_ids, v_receipts) u(id, receipt)
        left join lateral (select c.hi, c.receipt, c.gaps from pgqueue.c_template_log c where c.lo between u.id - 999 and u.id order by c.lo desc limit 1) c
                  on c.hi >= u.id and (c.gaps is null or u.id <> all (c.gaps))
        where receipts is null or c.receipt = u.receipt);
    with gone as (
        delete from pgqueue.l_template_log l where l.msg_id = any (v_ids) returning l.*
    ), gone_too as (
        delete from pgqueue.m_template_log m where m.msg_id = any (v_ids) returning m.*
    )
    insert into pgqueue.r_template_log (msg_id, enqueued_at, vt, last_read_at, receipt, read_ct, message, headers, holder)
    select g.msg_id, g.enqueued_at, coalesce(c.vt, g.enqueued_at), c.read_at, c.receipt, (c.lo is not null)::integer, g.message, g.headers, c.holder
    from (select * from gone union all select * from gone_too) g
    left join lateral (select c.* from pgqueue.c_template_log c where c.lo between g.msg_id - 999 and g.msg_id order by c.lo desc limit 1) c
              on c.hi >= g.msg_id and (c.gaps is null or g.msg_id <> all (c.gaps));
    if found and receipts is null then
        -- Deleted rows are passed over by take. Whoever looked before is done once we have had the lock; where the cursor stands
        -- then says whether one of them can have been handed out all the same.
        begin
            perform pg_advisory_xact_lock(pgqueue.take_lock('template_log')); -- given up with the subtransaction, as in take
            raise exception using errcode = 'UNDO0';
        exception when sqlstate 'UNDO0' then
            v_cursor := pg_sequence_last_value('pgqueue.u_template_log'::regclass);
        end;
        update pgqueue.r_template_log r set read_ct = 1, release_ct = 1
        where r.msg_id = any (v_ids) and r.read_ct = 0 and r.vt = r.enqueued_at and r.msg_id <= v_cursor;
    end if;
end
$$;
