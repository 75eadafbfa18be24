create or replace function pgqueue.check_plan(last_slot timestamptz, slot timestamptz, slots timestamptz[], next_at timestamptz, due_at timestamptz,
                                              now timestamptz)
returns void
language plpgsql immutable
set search_path = pg_catalog, pg_temp
as $$
-- A plan goes forward only: from slot over the slots that are sent, none twice and none to come, to next_at. Whatever the caller's clock,
-- zone files or library say, no slot at or before last_slot is fired again.
-- Raises: PQ002.
begin
    if slots is null or next_at is null or due_at is null or due_at < next_at or not isfinite(next_at) or not isfinite(due_at)
       or (slot is null and slots <> '{}')
       or next_at <= coalesce(slots[cardinality(slots)], slot, last_slot, '-infinity')
       or next_at <= last_slot
       or exists (select from unnest(slots) with ordinality u(at, place)
                  where u.at is null or u.at < slot or u.at > now or u.at <= last_slot or u.at <= slots[u.place - 1]) then
        perform pgqueue.fault('PQ002', 'a plan must go forward: slot <= slots (rising, due, after last_slot) < next_at <= due_at',
                              'Take the schedule from due_schedules() and plan from there.');
    end if;
end
$$;
