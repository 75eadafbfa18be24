create or replace function pgqueue.view_definitions()
returns text
language sql stable
set search_path = pg_catalog, pg_temp
as $$
-- The views over all queues, one arm a queue with its name as a constant: a query for one queue plans one arm. The first
-- arm, of the template, gives the columns where there is no queue.
-- Returns: statements that make the views anew, in the order of the views' names.
select format('create or replace view pgqueue.dead_letters as %s; create or replace view pgqueue.messages as %s',
              string_agg(format('select %L::text as queue, d.msg_id, d.reason, d.error, d.read_ct, d.release_ct, d.priority::integer as priority,
                  d.group_key, d.enqueued_at, d.last_read_at, d.holder, d.died_at, d.redriven_as, d.redriven_at, d.message, d.headers
                  from pgqueue.%I d', a.queue, 'd_' || a.queue) || a.guard, ' union all ' order by a.place, a.queue),
              string_agg(format('select %L::text as queue, q.msg_id, q.state, q.read_ct, q.release_ct, q.priority, q.group_key, q.enqueued_at,
                  q.last_read_at, q.vt, q.holder, q.error, q.message, q.headers
                  from pgqueue.%I q', a.queue, 'q_' || a.queue) || a.guard, ' union all ' order by a.place, a.queue))
from (select 0 as place, 'template_queue' as queue, ' where false' as guard union all select 1, q.queue, '' from pgqueue.queue q) a
$$;
