create or replace function pgqueue.skip_rolled_back__template_log(mark bigint, mark_last bigint)
returns boolean
language plpgsql
as $$
-- When the last ids that were drawn were all rolled back, the cursor may pass them, so that a read of the empty queue sees at once
-- that it is empty. To be called only when the horizon has passed the drawing of mark_last.
-- Returns: whether the cursor stands behind mark_last now. Moves: u_. Locks: the take lock.
declare
    v_moved boolean := false;
begin
    begin
        perform pg_advisory_xact_lock(pgqueue.take_lock('template_log')); -- given up with the subtransaction, as in take
        if pg_sequence_last_value('pgqueue.u_template_log'::regclass) = mark
           and not exists (select from pgqueue.l_template_log l where l.msg_id > mark and l.msg_id <= mark_last)
           and not exists (select from pgqueue.m_template_log m where m.msg_id > mark and m.msg_id <= mark_last) then
            perform setval('pgqueue.u_template_log', mark_last);
            v_moved := true;
        end if;
        raise exception using errcode = 'UNDO0';
    exception when sqlstate 'UNDO0' then
        return v_moved;
    end;
end
$$;
