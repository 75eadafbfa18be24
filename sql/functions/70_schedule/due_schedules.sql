create or replace function pgqueue.due_schedules(qty integer default 100)
returns table (name text, queue text, cron text, timezone text, catch_up text, catch_up_most integer, jitter interval, last_slot timestamptz,
               slot timestamptz, seen_at timestamptz)
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
-- The schedules that a scheduler has to look at now, the longest due first: their slot has come, or (slot null) their rule was never
-- planned. A plan for each is then written by fire_schedule or disable_schedule.
-- Returns: up to qty rows, all with the instant they were seen at. Raises: PQ002.
declare
    v_now constant timestamptz := pgqueue.clock();
begin
    if qty is null or qty not between 1 and 1000 then
        perform pgqueue.fault('PQ002', format('qty must be 1 .. 1000, not %s', coalesce(qty::text, 'null')), 'Call again for more.');
    end if;
    return query
        select s.name, s.queue, s.cron, s.timezone, s.catch_up, s.catch_up_most, s.jitter, s.last_slot,
               case when s.look_at > 'epoch' then s.next_at end, v_now
        from pgqueue.schedule s
        where s.look_at <= v_now
        order by s.look_at, s.name
        limit qty;
end
$$;
