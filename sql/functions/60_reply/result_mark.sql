create or replace function pgqueue.result_mark()
returns text
language sql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
-- The keyword argument in which the task of an on_success gets the result of the message before it. Reserved: nobody else sends it.
-- Returns: the same name as RESULT_MARK in Python.
select '_pg_result'::text
$$;
