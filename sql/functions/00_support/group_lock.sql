create or replace function pgqueue.group_lock(queue text, group_key text)
returns bigint
language sql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
-- The advisory lock that senders of one group take before they draw an id. A collision only makes two groups wait.
-- Returns: the lock's number.
select hashtextextended($1 || '/' || $2, 7046029254386353087)
$$;
