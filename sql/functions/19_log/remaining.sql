create or replace function pgqueue.remaining__template_log(msg_ids bigint[])
returns bigint[]
language sql stable security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set enable_bitmapscan = off
as $$
-- Those of the messages that can still run, as the row kind: they wait in the log or on the row side, or are dead letters that nobody
-- has sent again.
-- Returns: their ids. One snapshot, so that a message on its way to the row side is seen.
select array(select r.msg_id from pgqueue.r_template_log r where r.msg_id = any ($1)
             union all select l.msg_id from pgqueue.l_template_log l where l.msg_id = any ($1)
             union all select m.msg_id from pgqueue.m_template_log m where m.msg_id = any ($1)
             union all select d.msg_id from pgqueue.d_template_log d where d.msg_id = any ($1) and d.redriven_as is null)
$$;
