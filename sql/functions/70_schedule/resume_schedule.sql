create or replace function pgqueue.resume_schedule(name text)
returns text
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
-- Let a paused or disabled schedule go on, with its first slot to come: those of the meantime were not meant to be.
-- Returns: resumed, active (it was neither: nothing is written), unknown. Writes: schedule. Locks: the row.
begin
    update pgqueue.schedule s
    set enabled = true, error = null, paused_at = null, paused_by = null, pause_reason = null, planned = null
    where s.name = resume_schedule.name and (s.paused_at is not null or not s.enabled);
    if found then
        return 'resumed';
    end if;
    return case when exists (select from pgqueue.schedule s where s.name = resume_schedule.name) then 'active' else 'unknown' end;
end
$$;
