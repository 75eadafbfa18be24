create or replace function pgqueue.lost_parts(generation bigint, parts integer[])
returns table (part integer, msg_id bigint, state text, next_id bigint, error text)
language sql stable security definer
set search_path = pg_catalog, pg_temp
set enable_seqscan = off
set enable_bitmapscan = off
set enable_nestloop = off
as $$
-- Those of the open parts whose message is no more where it was: dead, redriven as next_id, or gone.
-- Returns: one row a part, by part. The joins are hashed: a thousand parts have a thousand messages.
with open as materialized (
    select p.part, p.msg_id, p.queue from pgqueue.barrier_part p where p.generation = $1 and p.part = any ($2) and p.state = 'open'
), found as materialized (
    select q.queue, w.msg_id, w.state, w.next_id, w.error
    from (select o.queue, array_agg(o.msg_id) as ids from open o group by o.queue) q
    cross join lateral pgqueue.part_messages(q.queue, q.ids) w
    where w.state in ('dead', 'redriven', 'gone')
)
select o.part, o.msg_id, f.state, f.next_id, nullif(f.error, '')
from open o join found f on f.queue = o.queue and f.msg_id = o.msg_id
order by o.part
$$;
