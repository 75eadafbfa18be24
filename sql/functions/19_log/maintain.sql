create or replace function pgqueue.maintain__template_log()
returns table (moved integer, truncated boolean)
language plpgsql security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set enable_bitmapscan = off
set enable_sort = off
as $$
-- One bounded step of what no message waits for: bring back what nobody holds, drop claims that ran out with nothing left in them,
-- give a side's space back. Any number of sessions may call it, each in a transaction of its own; a few times a second is plenty.
-- Returns: one row: messages moved to the row side, whether a side was truncated. Writes, locks: as sweep, forget_steps and rotate.
declare
    v_now constant timestamptz := pgqueue.clock();
    v_hint constant bigint := pg_sequence_last_value('pgqueue.f_template_log'::regclass);
    v_from timestamptz := '-infinity';
begin
    if v_hint > 0 and random() > 0.02 then
        v_from := pgqueue.decode_floor(v_hint, '-infinity'); -- else it would walk over all dead claims each time
    end if;
    moved := pgqueue.sweep__template_log() + pgqueue.mend__template_log(v_now);
    delete from pgqueue.c_template_log d
    where d.lo = any (array(
        select c.lo from pgqueue.c_template_log c
        where c.lo = any (array(select o.lo from pgqueue.c_template_log o where o.vt >= v_from and o.vt <= v_now order by o.vt, o.lo limit 1000))
          and c.vt <= v_now
          and not exists (select from pgqueue.l_template_log l where l.msg_id between c.lo and c.hi)
          and not exists (select from pgqueue.m_template_log m where m.msg_id between c.lo and c.hi)
        for update skip locked));
    perform pgqueue.forget_steps__template_log();
    truncated := pgqueue.rotate__template_log();
    return next;
end
$$;
