create or replace function pgqueue.set_aside__template_log(ids bigint[], due timestamptz, reads integer default 0)
returns bigint[]
language plpgsql
as $$
-- Move messages that nobody holds from the log to the row side, due. reads: 0 when it is proven that none of them was ever
-- handed out, else 1, which is counted as released too: a read that may have happened but counts against nobody.
-- Returns: the ids that moved. Writes: l_, m_, r_. Locks: the messages by msg_id; locked ones are skipped.
declare
    v_moved bigint[];
begin
    if ids = '{}' then
        return ids;
    end if;
    with gone as (
        delete from pgqueue.l_template_log l where l.msg_id = any (array(
            select o.msg_id from pgqueue.l_template_log o where o.msg_id = any (ids) for update skip locked))
        returning l.*
    ), aside as (
        insert into pgqueue.r_template_log (msg_id, enqueued_at, vt, read_ct, release_ct, message, headers)
        select g.msg_id, g.enqueued_at, least(g.enqueued_at, due), reads, reads, g.message, g.headers from gone g
    )
    select coalesce(array_agg(g.msg_id), '{}') into v_moved from gone g;
    if cardinality(v_moved) = cardinality(ids) then
        return v_moved;
    end if;
    with gone as (
        delete from pgqueue.m_template_log m where m.msg_id = any (array(
            select o.msg_id from pgqueue.m_template_log o where o.msg_id = any (ids) for update skip locked))
        returning m.*
    ), aside as (
        insert into pgqueue.r_template_log (msg_id, enqueued_at, vt, read_ct, release_ct, message, headers)
        select g.msg_id, g.enqueued_at, least(g.enqueued_at, due), reads, reads, g.message, g.headers from gone g
    )
    select v_moved || coalesce(array_agg(g.msg_id), '{}') into v_moved from gone g;
    return v_moved;
end
$$;
