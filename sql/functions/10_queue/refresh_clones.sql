create or replace function pgqueue.refresh_clones(queue text)
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
-- Bring a queue's functions to this release: replaced in place, so that running sessions and grants of people keep them;
-- only those without a template of the same arguments and result are dropped.
-- Writes: functions <verb>__<queue>.
declare
    v_clone regprocedure;
begin
    for v_clone in
        select c.oid::regprocedure
        from pg_proc c
        where c.pronamespace = 'pgqueue'::regnamespace
          and c.proname ~ ('^[a-z]+(_[a-z]+)*__' || refresh_clones.queue || '$')
          and not exists (
              select from pg_proc t
              where t.pronamespace = c.pronamespace
                and t.proname = split_part(c.proname, '__', 1) || '__template_queue'
                and pg_get_function_arguments(t.oid) = pg_get_function_arguments(c.oid)
                and pg_get_function_result(t.oid) = pg_get_function_result(c.oid))
    loop
        execute format('drop function %s', v_clone);
    end loop;
    perform pgqueue.clone_functions(queue);
end
$$;
