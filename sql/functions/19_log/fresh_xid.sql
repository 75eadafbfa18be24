create or replace function pgqueue.fresh_xid__template_log()
returns xid8
language plpgsql
as $$
-- An xid above every one that was given out so far: this transaction's own when it has none yet, else that of a subtransaction that writes
-- and is rolled back. A snapshot's xmax will not do: it is above the finished ones only.
-- Returns: the xid. Writes: nothing that stays in h_.
declare
    v_top constant bigint := pg_current_xact_id_if_assigned()::text;
    v_sub bigint;
begin
    if v_top is null then
        return pg_current_xact_id();
    end if;
    begin
        insert into pgqueue.h_template_log (done, mark, mark_last, mark_xid, cluster, swept_at)
        values (-1, 0, 0, '3', 0, '-infinity') returning xmin::text into v_sub;
        raise exception using errcode = 'UNDO0';
    exception when sqlstate 'UNDO0' then
        return (v_top + (v_sub - v_top & 4294967295))::text; -- xmin has 32 bits; a subtransaction's xid is above its parent's
    end;
end
$$;
