create or replace function pgqueue.disable_schedule(name text, cron text, timezone text, error text)
returns boolean
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
-- Stop a schedule that can't go on, with what is wrong with it, so that no other is held up; if it still has the rule that was tried.
-- Fires again after set_schedule or resume_schedule. Safe to repeat.
-- Returns: whether this call did it. Writes: schedule. Locks: the row, which is left alone where somebody has it.
begin
    perform from pgqueue.schedule s where s.name = disable_schedule.name for update skip locked;
    if not found then
        return false;
    end if;
    update pgqueue.schedule s
    set enabled = false, error = left(pgqueue.clean_text(coalesce(disable_schedule.error, 'disabled')), 1000)
    where s.name = disable_schedule.name and s.cron = disable_schedule.cron and s.timezone = disable_schedule.timezone and s.enabled;
    return found;
end
$$;
