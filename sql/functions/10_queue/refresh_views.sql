create or replace function pgqueue.refresh_views(queue text)
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
-- Write the views over all queues anew, one arm a queue with its name as a constant: a query for one queue plans one arm.
-- Locks: the views exclusively, in the order of their names, briefly. Raises: PQ010 (queue: who wants it).
declare
    v_arms text;
begin
    select string_agg(format('select %L::text as queue, d.msg_id, d.reason, d.error, d.read_ct, d.release_ct, d.priority::integer as priority, d.group_key,
        d.enqueued_at, d.last_read_at, d.holder, d.died_at, d.redriven_as, d.redriven_at, d.message, d.headers
        from pgqueue.%I d', a.queue, 'd_' || a.queue) || a.guard, ' union all ' order by a.place, a.queue) into v_arms
    from (select 0 as place, 'template_queue' as queue, ' where false' as guard union all select 1, q.queue, '' from pgqueue.queue q) a;
    perform pgqueue.execute_ddl('create or replace view pgqueue.dead_letters as ' || v_arms, queue);
    select string_agg(format('select %L::text as queue, q.msg_id, q.state, q.read_ct, q.release_ct, q.priority, q.group_key, q.enqueued_at,
        q.last_read_at, q.vt, q.holder, q.error, q.message, q.headers
        from pgqueue.%I q', a.queue, 'q_' || a.queue) || a.guard, ' union all ' order by a.place, a.queue) into v_arms
    from (select 0 as place, 'template_queue' as queue, ' where false' as guard union all select 1, q.queue, '' from pgqueue.queue q) a;
    perform pgqueue.execute_ddl('create or replace view pgqueue.messages as ' || v_arms, queue);
end
$$;
