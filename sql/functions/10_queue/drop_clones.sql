create or replace function pgqueue.drop_clones(queue text)
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
-- The names of verbs hold no double underscore, so what stands before the first one is the verb, the rest the queue.
-- Writes: drops every function <verb>__<queue>.
declare
    v_clone regprocedure;
begin
    for v_clone in
        select p.oid::regprocedure
        from pg_proc p
        where p.pronamespace = 'pgqueue'::regnamespace
          and p.proname ~ ('^[a-z]+(_[a-z]+)*__' || drop_clones.queue || '$')
    loop
        execute format('drop function %s', v_clone);
    end loop;
end
$$;
