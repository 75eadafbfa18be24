create or replace function pgqueue.transport_mark()
returns text
language sql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
-- The keyword argument that tells the callback of a barrier from any other message of its task. Reserved: nobody else sends it.
-- Returns: the same name as TRANSPORT_MARK in Python.
select '_pg_transport'::text
$$;
