create or replace function pgqueue.change_sides__template_log(edge bigint)
returns void
language plpgsql
as $$
-- A batch drew ids beyond the end of the stretch that it writes to: put those messages where their ids belong, in the transaction that
-- has just written them. Once in 131,072 ids.
-- Writes: l_, m_. Raises: nothing of its own.
begin
    if edge & 131072 = 0 then
        with gone as (delete from pgqueue.l_template_log l where l.msg_id > edge and l.msg_id <= edge + 131072 returning l.*)
        insert into pgqueue.m_template_log select g.* from gone g;
    else
        with gone as (delete from pgqueue.m_template_log m where m.msg_id > edge and m.msg_id <= edge + 131072 returning m.*)
        insert into pgqueue.l_template_log select g.* from gone g;
    end if;
end
$$;
