create or replace function pgqueue.watch_burials(queue text)
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
-- Let the trigger functions named before_burial_* see each dead letter of a queue before it is written, whoever buries. So a higher
-- folder takes part in a burial without a lower one knowing it. A message without headers never calls them.
-- Writes: triggers of d_, those that are missing.
declare
    v_trigger text;
begin
    for v_trigger in
        select p.proname from pg_proc p
        where p.pronamespace = 'pgqueue'::regnamespace and p.prorettype = 'trigger'::regtype and starts_with(p.proname, 'before_burial_')
          and not exists (select from pg_trigger t where t.tgrelid = to_regclass(format('pgqueue.%I', 'd_' || watch_burials.queue)) and t.tgfoid = p.oid)
        order by p.proname
    loop
        execute format('create trigger %1$I before insert on pgqueue.%2$I for each row when (new.headers is not null) execute function pgqueue.%1$I()',
                       v_trigger, 'd_' || watch_burials.queue);
    end loop;
end
$$;
