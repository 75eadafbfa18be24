create or replace function pgqueue.holds__template_queue(msg_id bigint, receipt bigint)
returns text
language sql stable security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set enable_bitmapscan = off
as $$
-- Whether the receipt is still the lease's; that of a lease that ran out and that nobody took again is.
-- Returns: done (it is), stale or gone.
select coalesce((select case when r.receipt = $2 then 'done' else 'stale' end from pgqueue.r_template_queue r where r.msg_id = $1), 'gone')
$$;
