create or replace function pgqueue.clone_functions(queue text)
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
set check_function_bodies = off
as $$
-- Write the queue's own copies of the hot verbs: static SQL over its own tables, with its settings as constants (a line
-- that ends in `-- setting: name` gets the value). Static SQL is planned once a session; by EXECUTE it is planned a call.
-- Writes: functions <verb>__<queue>, granted by verb_roles(), nothing to PUBLIC.
declare
    v_settings constant jsonb := (select pgqueue.effective_settings(q.settings) from pgqueue.queue q where q.queue = clone_functions.queue);
    v_template record;
    v_setting record;
    v_body text;
begin
    for v_template in
        select p.oid, p.proname::text as name, oidvectortypes(p.proargtypes) as types
        from pg_proc p
        where p.pronamespace = 'pgqueue'::regnamespace and p.proname ~ '^[a-z]+(_[a-z]+)*__template_queue$'
        order by p.oid
    loop
        v_body := replace(pg_get_functiondef(v_template.oid), 'template_queue', queue);
        for v_setting in
            select s.key as name, s.value #>> '{}' as value
            from jsonb_each(v_settings || jsonb_build_object('hard_cap', (v_settings ->> 'max_reads')::integer + (v_settings ->> 'repark_budget')::integer)) s
            where position('-- setting: ' || s.key || E'\n' in v_body) > 0
        loop
            v_body := regexp_replace(v_body, ':= [^;]*; -- setting: ' || v_setting.name || '\n',
                                     format(':= %L; -- setting: %s', v_setting.value, v_setting.name) || E'\n');
        end loop;
        execute v_body;
        perform pgqueue.grant_function(format('pgqueue.%I(%s)', replace(v_template.name, 'template_queue', queue), v_template.types)::regprocedure);
    end loop;
end
$$;
