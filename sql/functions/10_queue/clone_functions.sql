create or replace function pgqueue.clone_functions(queue text)
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
set check_function_bodies = off
set standard_conforming_strings = on
set quote_all_identifiers = off
as $$
-- Write the queue's own copies of the hot verbs: static SQL over its own tables, with its settings as constants (a line
-- that ends in `-- setting: name` gets the value). Static SQL is planned once a session; by EXECUTE it is planned a call.
-- Writes: functions <verb>__<queue>, granted by verb_roles(), nothing to PUBLIC.
declare
    v_queue constant pgqueue.queue := (select q from pgqueue.queue q where q.queue = clone_functions.queue);
    v_settings constant jsonb := pgqueue.baked_settings(clone_functions.queue);
    v_template record;
    v_setting record;
    v_body text;
begin
    for v_template in
        select t.verb, p.proname::text as name, oidvectortypes(p.proargtypes) as types, pg_get_functiondef(p.oid) as body
        from pgqueue.templates(v_queue.kind) t join pg_proc p on p.oid = t.template
    loop
        v_body := regexp_replace(v_template.body, '(FUNCTION pgqueue\.)' || v_template.name, '\1' || v_template.verb || '__template_queue');
        v_body := regexp_replace(v_body, 'template_(queue|log)', queue, 'g');
        for v_setting in
            select s.key as name, s.value #>> '{}' as value
            -- The row side of a log is read by the log's read, which has asked the gate.
            from jsonb_each(v_settings || case when starts_with(v_template.verb, 'row_') then '{"gated": false}' else '{}' end::jsonb) s
            where position('-- setting: ' || s.key || E'\n' in v_body) > 0
        loop
            v_body := regexp_replace(v_body, ':= [^;]*; -- setting: ' || v_setting.name || '\n',
                                     format(':= %L; -- setting: %s', v_setting.value, v_setting.name) || E'\n');
        end loop;
        execute v_body;
        perform pgqueue.grant_function(format('pgqueue.%I(%s)', v_template.verb || '__' || queue, v_template.types)::regprocedure);
    end loop;
end
$$;
