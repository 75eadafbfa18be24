create or replace function pgqueue.depth__template_queue()
returns table (depth bigint, ready bigint, delayed bigint, in_flight bigint, retrying bigint, approx boolean, dead bigint,
               oldest_at timestamptz, last_sent_at timestamptz, last_msg_id bigint)
language sql stable security definer
set search_path = pg_catalog, pg_temp
as $$
-- Count the queue: exactly up to 10,000 messages; beyond that the depth is the planner's estimate, the states are the
-- first 10,000 scaled to it, and approx says so. oldest_at: when the oldest message of the front of the claim was sent.
-- Returns: one row.
with instant as materialized (
    select pgqueue.clock() as now
), sample as (
    select count(*) as n,
           count(*) filter (where s.vt <= c.now) as ready,
           count(*) filter (where s.vt > c.now and s.receipt is not null) as in_flight,
           count(*) filter (where s.vt > c.now and s.receipt is null and s.read_ct = 0) as delayed,
           count(*) filter (where s.vt > c.now and s.receipt is null and s.read_ct > 0) as retrying
    from instant c, (select r.vt, r.receipt, r.read_ct from pgqueue.r_template_queue r limit 10001) s
), whole as (
    select case when s.n <= 10000 then s.n
                else greatest(s.n, (select c.reltuples::bigint from pg_class c where c.oid = 'pgqueue.r_template_queue'::regclass)) end as depth
    from sample s
)
select w.depth, (s.ready * f.x)::bigint, (s.delayed * f.x)::bigint, (s.in_flight * f.x)::bigint, (s.retrying * f.x)::bigint, s.n > 10000,
       (select count(*) from (select from pgqueue.d_template_queue d where d.redriven_as is null limit 10001) d),
       (select min(o.enqueued_at) from generate_series(0, 9) p(level), lateral (
           select r.enqueued_at from pgqueue.r_template_queue r
           where r.priority = p.level and r.vt <= (select c.now from instant c) order by r.vt, (r.msg_id + 0) limit 1) o),
       (select r.enqueued_at from pgqueue.r_template_queue r order by r.msg_id desc limit 1),
       (select case when q.is_called then q.last_value else q.last_value - 1 end from pgqueue.s_template_queue q)
from sample s, whole w, lateral (select case when s.n > 10000 then w.depth::numeric / s.n else 1 end as x) f
$$;
