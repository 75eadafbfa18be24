create or replace function pgqueue.pause_schedule(name text, why text)
returns boolean
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
-- Fire no slot of a schedule until resume_schedule. Paused again: the new reason counts.
-- Returns: false when there is none of the name. Writes: schedule. Locks: the row. Raises: PQ002.
declare
    v_now constant timestamptz := pgqueue.clock();
begin
    if coalesce(why, '') !~ '\S' then
        perform pgqueue.fault('PQ002', 'why the schedule is paused is empty', 'Say it in a few words: others will ask.');
    end if;
    update pgqueue.schedule s
    set paused_at = v_now, paused_by = session_user, pause_reason = left(pgqueue.clean_text(why), 1000)
    where s.name = pause_schedule.name;
    return found;
end
$$;
