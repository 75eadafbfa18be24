create or replace function pgqueue.rotate__template_log()
returns boolean
language plpgsql security definer
set search_path = pg_catalog, pg_temp
set lock_timeout = '50ms'
as $$
-- Give the space of the log's other side back, once senders and the cursor have gone over to this one and all of the other is acked
-- or moved: TRUNCATE needs no vacuum and no horizon, so it works while some session holds a snapshot for hours.
-- Never waits: whoever has written to that side and not committed, or reads it, is in nobody's way for longer than 50 ms. Not while
-- a pg_dump runs: its snapshot is older than its locks, and a truncated table is empty for every snapshot.
-- Call it alone, in a transaction of its own: it keeps the lock until the commit.
-- Returns: whether it truncated. Locks: l_ or m_ exclusively. Writes: truncates it.
declare
    v_cursor constant bigint := pg_sequence_last_value('pgqueue.u_template_log'::regclass);
    v_next constant bigint := coalesce(pg_sequence_last_value('pgqueue.s_template_log'::regclass), 0) + 1;
begin
    if (v_cursor >> 17) <> (v_next >> 17)
       or pg_relation_size(case when v_next & 131072 = 0 then 'pgqueue.m_template_log'::regclass else 'pgqueue.l_template_log'::regclass end) = 0
       or exists (select from pg_stat_activity a where a.datname = current_database() and a.application_name like 'pg\_dump%') then
        return false;
    end if;
    if v_next & 131072 = 0 then
        if exists (select from pgqueue.m_template_log) then
            return false;
        end if;
        lock table pgqueue.m_template_log in access exclusive mode;
        -- A late sender may have committed before the lock.
        if exists (select from pgqueue.m_template_log) then
            raise exception using errcode = 'UNDO0';
        end if;
        truncate pgqueue.m_template_log;
    else
        if exists (select from pgqueue.l_template_log) then
            return false;
        end if;
        lock table pgqueue.l_template_log in access exclusive mode;
        if exists (select from pgqueue.l_template_log) then
            raise exception using errcode = 'UNDO0';
        end if;
        truncate pgqueue.l_template_log;
    end if;
    return true;
exception when lock_not_available or sqlstate 'UNDO0' then
    return false;
end
$$;
