-- Who may do what, from pgqueue.verb_roles(); PUBLIC may do nothing. Run last at every upgrade: our roles lose what an
-- older release gave them and this one doesn't; grants to other roles stay.
revoke all on schema pgqueue from public;
revoke all on all tables in schema pgqueue from public;
do $$
declare
    v_function regprocedure;
    v_role text;
begin
    for v_role in
        select r.rolname from pg_catalog.pg_roles r
        where r.rolname in ('pgqueue_producer', 'pgqueue_consumer', 'pgqueue_operator', 'pgqueue_observer')
    loop
        execute pg_catalog.format('revoke all on all functions in schema pgqueue from %I', v_role);
    end loop;
    for v_function in select p.oid::regprocedure from pg_catalog.pg_proc p where p.pronamespace = 'pgqueue'::regnamespace loop
        perform pgqueue.grant_function(v_function);
    end loop;
    for v_role in
        select r.rolname from pg_catalog.pg_roles r
        where r.rolname in ('pgqueue_producer', 'pgqueue_consumer', 'pgqueue_operator', 'pgqueue_observer')
    loop
        execute pg_catalog.format('grant usage on schema pgqueue to %I', v_role);
        if v_role in ('pgqueue_operator', 'pgqueue_observer') then
            execute pg_catalog.format('grant select on pgqueue.messages, pgqueue.dead_letters, pgqueue.queues, pgqueue.step, pgqueue.barriers, pgqueue.claims, pgqueue.schedules, pgqueue.replies, pgqueue.leaders, pgqueue.sweeps, pgqueue.migration to %I', v_role);
        end if;
    end loop;
end
$$;
