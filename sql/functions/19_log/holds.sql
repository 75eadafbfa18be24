create or replace function pgqueue.holds__template_log(msg_id bigint, receipt bigint)
returns text
language sql stable security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set enable_bitmapscan = off
as $$
-- Whether the receipt is still the lease's, as the row kind: of the message on the row side, else of the claim over it.
-- Returns: done (it is), stale or gone. One snapshot, so that a message on its way to the row side is seen once.
select coalesce(
    (select case when r.receipt = $2 then 'done' else 'stale' end from pgqueue.r_template_log r where r.msg_id = $1),
    (select case when c.receipt = $2 and c.hi >= $1 and (c.gaps is null or $1 <> all (c.gaps)) then 'done' else 'stale' end
     from (select l.msg_id from pgqueue.l_template_log l where l.msg_id = $1
           union all select m.msg_id from pgqueue.m_template_log m where m.msg_id = $1) x
     left join lateral (select o.* from pgqueue.c_template_log o where o.lo between $1 - 999 and $1 order by o.lo desc limit 1) c on true),
    'gone')
$$;
