-- The four roles are cluster-wide, so another database may have made them, or be making them right now.
do $$
declare
    v_role text;
begin
    foreach v_role in array '{pgqueue_producer,pgqueue_consumer,pgqueue_operator,pgqueue_observer}'::text[] loop
        if not exists (select from pg_catalog.pg_roles r where r.rolname = v_role) then
            begin
                execute pg_catalog.format('create role %I nologin', v_role);
            exception when duplicate_object or unique_violation then
                null;
            end;
        end if;
    end loop;
end
$$;
