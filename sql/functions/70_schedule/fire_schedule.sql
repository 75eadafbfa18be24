create or replace function pgqueue.fire_schedule(name text, cron text, timezone text, slot timestamptz, slots timestamptz[], next_at timestamptz,
                                                 due_at timestamptz)
returns table (outcome text, sent integer, passed_from timestamptz, passed_until timestamptz, problem text)
language plpgsql security definer
set search_path = pg_catalog, pg_temp
set lock_timeout = '5s'
as $$
-- Send the messages of `slots`, oldest first, and go on to the slot next_at: one transaction, and only if the schedule still stands at
-- `slot` (null: nothing was planned by this rule) with the rule that this was planned by. So a slot is fired once, by however many.
-- What can't be sent disables the schedule with its error, except where the server is in trouble.
-- Returns: fired, planned (nothing was to be sent), disabled, lost (another was there first, or the plan is out of date: ask again);
-- the slots from passed_from until before passed_until were left out. Writes: schedule, its queue.
-- Locks: its group, then the row, which is skipped where somebody has it. Raises: PQ002 for a plan that can't be one.
declare
    v_rule constant text := cron || ' ' || timezone;
    v_count constant integer := cardinality(slots);
    v_now timestamptz;
    v_ids bigint[];
    s pgqueue.schedule;
begin
    select x.* into s from pgqueue.schedule x where x.name = fire_schedule.name;
    if s.group_key is not null and v_count > 0 then
        perform pg_advisory_xact_lock(pgqueue.group_lock(s.queue, s.group_key));
    end if;
    v_now := pgqueue.clock();
    select x.* into s
    from pgqueue.schedule x
    where x.name = fire_schedule.name and x.cron = fire_schedule.cron and x.timezone = fire_schedule.timezone and x.look_at <= v_now
      and case when fire_schedule.slot is null then x.planned is distinct from v_rule else x.planned = v_rule and x.next_at = fire_schedule.slot end
    for update skip locked;
    if not found or pgqueue.is_late_plan(s, slots, due_at, v_now) then
        return query select 'lost', 0, null::timestamptz, null::timestamptz, null;
        return;
    end if;
    perform pgqueue.check_plan(s.last_slot, slot, slots, next_at, due_at, v_now);
    begin
        v_ids := pgqueue.send_slots(s, slots);
    exception when others then
        get stacked diagnostics problem = message_text;
        if sqlstate ~ '^(08|25|40|53|55|57|58|XX|PQ006|PQ010)' then
            raise;
        end if;
        perform pgqueue.disable_schedule(name, cron, timezone, problem);
        return query select 'disabled', 0, null::timestamptz, null::timestamptz, problem;
        return;
    end;
    passed_until := nullif(coalesce(slots[1], next_at), slot);
    passed_from := case when passed_until is not null then slot end;
    update pgqueue.schedule x
    set planned = v_rule, next_at = fire_schedule.next_at, due_at = fire_schedule.due_at,
        last_slot = coalesce(slots[v_count], x.last_slot), last_fired_at = case when v_count > 0 then v_now else x.last_fired_at end,
        last_msg_id = coalesce(v_ids[v_count], x.last_msg_id), fired = x.fired + v_count,
        missed_from = coalesce(passed_from, x.missed_from), missed_until = case when passed_from is null then x.missed_until else passed_until end
    where x.name = s.name;
    return query select case when v_count > 0 then 'fired' else 'planned' end, v_count, passed_from, case when passed_from is not null then passed_until end, null;
end
$$;
