create or replace function pgqueue.refresh_views(queue text)
returns void
language sql
set search_path = pg_catalog, pg_temp
as $$
-- Make the views over all queues anew.
-- Locks: the views exclusively, both or none, briefly. Raises: PQ010 (queue: who wants it).
select pgqueue.execute_ddl(pgqueue.view_definitions(), $1)
$$;
