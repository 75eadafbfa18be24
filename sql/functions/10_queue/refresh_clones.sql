create or replace function pgqueue.refresh_clones(queue text)
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
-- Bring a queue's functions to this release: replaced in place, so that running sessions and grants of people keep them;
-- only those without a template of the same arguments and result are dropped.
-- Writes: functions <verb>__<queue>; w_ and triggers where an older release made the queue.
declare
    v_clone regprocedure;
begin
    for v_clone in
        select c.oid::regprocedure
        from pg_proc c
        where c.pronamespace = 'pgqueue'::regnamespace
          and c.proname ~ ('^[a-z]+(_[a-z]+)*__' || refresh_clones.queue || '$')
          and not exists (
              select from pgqueue.templates((select q.kind from pgqueue.queue q where q.queue = refresh_clones.queue)) t
              where t.verb = split_part(c.proname, '__', 1)
                and pg_get_function_arguments(t.template) = pg_get_function_arguments(c.oid)
                and pg_get_function_result(t.template) = pg_get_function_result(c.oid))
    loop
        execute format('drop function %s', v_clone);
    end loop;
    perform pgqueue.create_doorbell(queue);
    perform pgqueue.watch_burials(queue);
    perform pgqueue.clone_functions(queue);
end
$$;
