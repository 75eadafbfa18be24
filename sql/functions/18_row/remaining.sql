create or replace function pgqueue.remaining__template_queue(msg_ids bigint[])
returns bigint[]
language sql stable security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set enable_bitmapscan = off
as $$
-- Those of the messages that can still run: they wait, or are dead letters that nobody has sent again.
-- Returns: their ids. An id that is not among them never comes back: a redrive gives a new one.
select array(select r.msg_id from pgqueue.r_template_queue r where r.msg_id = any ($1)
             union all select d.msg_id from pgqueue.d_template_queue d where d.msg_id = any ($1) and d.redriven_as is null)
$$;
