create or replace function pgqueue.lock_groups(parts jsonb)
returns void
language sql
set search_path = pg_catalog, pg_temp
as $$
-- The group locks of all parts, in the order of the house and before any row of a barrier: whoever holds a group may wait for a
-- barrier, so nobody who holds a barrier may wait for a group.
-- Locks: as a send with group_key.
select pg_advisory_xact_lock(l.number)
from (select distinct pgqueue.group_lock(e.value ->> 'queue', e.value ->> 'group_key') as number
      from jsonb_array_elements($1) e where e.value ->> 'group_key' is not null order by 1) l
$$;
