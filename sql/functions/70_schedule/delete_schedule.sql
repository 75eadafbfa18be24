create or replace function pgqueue.delete_schedule(name text)
returns boolean
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
-- Remove a schedule; messages that it has sent stay. A new one of the name knows nothing of its slots, and begins with those to come.
-- Returns: false when there is none. Writes: schedule. Locks: the row.
begin
    delete from pgqueue.schedule s where s.name = delete_schedule.name;
    return found;
end
$$;
