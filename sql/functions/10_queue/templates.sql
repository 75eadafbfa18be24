create or replace function pgqueue.templates(kind text)
returns table (template oid, verb text)
language sql stable
set search_path = pg_catalog, pg_temp
as $$
-- The templates that a queue of this kind gets copies of. A log queue gets the row kind's too, for its row side; where the log has
-- a verb of its own, the row kind's is copied as row_<verb> beside it.
-- Returns: one row a template function: its oid, and the name of the copy up to the double underscore.
select p.oid,
       case when t.suffix = 'template_queue' and $1 = 'log'
                 and exists (select from pg_proc l where l.pronamespace = p.pronamespace and l.proname = t.verb || '__template_log')
            then 'row_' else '' end || t.verb
from pg_proc p
cross join lateral (select split_part(p.proname, '__', 1) as verb, split_part(p.proname, '__', 2) as suffix) t
where p.pronamespace = 'pgqueue'::regnamespace and p.proname ~ '^[a-z]+(_[a-z]+)*__template_(queue|log)$'
  and (t.suffix = 'template_queue' or $1 = 'log')
order by p.oid
$$;
