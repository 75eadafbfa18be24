create or replace function pgqueue.fire_schedule_now(name text)
returns bigint
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
-- Send the message of a schedule now, by hand, also when it is paused or disabled. Its header names no slot, and its slots come as ever.
-- Returns: the msg_id; null when there is no schedule of the name. Writes, locks: as send_batch. Raises: PQ001, PQ002, PQ003.
declare
    s pgqueue.schedule;
begin
    select x.* into s from pgqueue.schedule x where x.name = fire_schedule_now.name;
    if not found then
        return null;
    end if;
    return (pgqueue.send_slots(s, array[null::timestamptz]))[1];
end
$$;
