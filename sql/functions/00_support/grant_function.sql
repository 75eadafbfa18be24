create or replace function pgqueue.grant_function(function regprocedure)
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
-- Take a function from PUBLIC and give it to the roles of verb_roles() that exist (migrate --no-roles makes none).
-- Writes: the function's privileges.
declare
    v_role text;
    v_name constant text := (select p.proname from pg_proc p where p.oid = function);
    v_verb constant text := case when split_part(v_name, '__', 2) not in ('template_queue', 'template_log') then split_part(v_name, '__', 1) end;
begin
    execute format('revoke all on function %s from public', function);
    foreach v_role in array pgqueue.verb_roles(v_verb) loop
        if exists (select from pg_roles r where r.rolname = v_role) then
            execute format('grant execute on function %s to %I', function, v_role);
        end if;
    end loop;
end
$$;
