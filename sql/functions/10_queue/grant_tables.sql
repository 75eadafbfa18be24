create or replace function pgqueue.grant_tables(queue text)
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
-- Observers and operators may select from a queue's view, archive and dead letters; nobody but the owner writes a table.
-- Writes: privileges of q_, a_, d_<queue>.
declare
    v_role text;
begin
    for v_role in select r.rolname from pg_roles r where r.rolname in ('pgqueue_observer', 'pgqueue_operator') loop
        execute format('grant select on pgqueue.%I, pgqueue.%I, pgqueue.%I to %I', 'q_' || queue, 'a_' || queue, 'd_' || queue, v_role);
    end loop;
end
$$;
