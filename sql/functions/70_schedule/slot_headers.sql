create or replace function pgqueue.slot_headers(name text, headers jsonb, slot timestamptz)
returns jsonb
language sql stable
set search_path = pg_catalog, pg_temp
as $$
-- The headers of a message that a schedule sends: those of the schedule, and which slot of which schedule it is. Without a slot it
-- was fired by hand.
-- Returns: an object.
select coalesce($2, '{}') || jsonb_build_object('pgqueue-schedule', jsonb_strip_nulls(jsonb_build_object(
    'schedule', $1, 'slot', to_char($3 at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'))))
$$;
