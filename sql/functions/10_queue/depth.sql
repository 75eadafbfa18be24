create or replace function pgqueue.depth(queue text)
returns table (depth bigint, ready bigint, delayed bigint, in_flight bigint, retrying bigint, approx boolean, dead bigint,
               oldest_at timestamptz, last_sent_at timestamptz, last_msg_id bigint)
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
-- Count one queue: exactly up to 10,000 messages; beyond that the depth is the planner's estimate, the states are the
-- first 10,000 scaled to it, and approx says so. oldest_at: when the oldest message of the front of the claim was sent.
-- Returns: one row.
begin
    return query execute format($sql$
        with sample as (
            select count(*) as n,
                   count(*) filter (where s.vt <= c.now) as ready,
                   count(*) filter (where s.vt > c.now and s.receipt is not null) as in_flight,
                   count(*) filter (where s.vt > c.now and s.receipt is null and s.read_ct = 0) as delayed,
                   count(*) filter (where s.vt > c.now and s.receipt is null and s.read_ct > 0) as retrying
            from (select r.vt, r.receipt, r.read_ct from pgqueue.%1$I r limit 10001) s, (select $1 as now) c
        ), whole as (
            select case when s.n <= 10000 then s.n
                        else greatest(s.n, (select c.reltuples::bigint from pg_class c where c.oid = 'pgqueue.%1$I'::regclass)) end as depth
            from sample s
        )
        select w.depth, (s.ready * f.x)::bigint, (s.delayed * f.x)::bigint, (s.in_flight * f.x)::bigint, (s.retrying * f.x)::bigint, s.n > 10000,
               (select count(*) from (select from pgqueue.%2$I d where d.redriven_as is null limit 10001) d),
               (select min(o.enqueued_at) from generate_series(0, 9) p(level), lateral (
                   select r.enqueued_at from pgqueue.%1$I r where r.priority = p.level and r.vt <= $1 order by r.vt, (r.msg_id + 0) limit 1) o),
               (select r.enqueued_at from pgqueue.%1$I r order by r.msg_id desc limit 1),
               (select case when q.is_called then q.last_value else q.last_value - 1 end from pgqueue.%3$I q)
        from sample s, whole w, lateral (select case when s.n > 10000 then w.depth::numeric / s.n else 1 end as x) f
    $sql$, 'r_' || queue, 'd_' || queue, 's_' || queue) using pgqueue.clock();
end
$$;
