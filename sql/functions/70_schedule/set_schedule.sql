create or replace function pgqueue.set_schedule(name text, queue text, cron text, message jsonb, headers jsonb default null, timezone text default 'UTC',
                                                catch_up text default 'latest', catch_up_most integer default 100, jitter interval default '0',
                                                group_key text default null, priority integer default 0)
returns text
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
-- Make a schedule, or make the one of this name so. A new rule begins with its first slot after it was seen by a scheduler, and with
-- none of the past; the slots that were fired stay known. A disabled one is enabled; a paused one stays paused.
-- Returns: created, changed; unchanged (nothing is written). Writes: schedule. Locks: the row. Raises: PQ001, PQ002, PQ003, PQ008.
declare
    c_most constant integer := 10000;
    v_now constant timestamptz := pgqueue.clock();
    v_known constant boolean := exists (select from pgqueue.schedule s where s.name = set_schedule.name);
begin
    perform pgqueue.check_schedule(name, cron, timezone, catch_up, catch_up_most, jitter);
    perform pgqueue.require_queue(queue);
    perform pgqueue.check_send('0', null, group_key, priority);
    if group_key is not null and exists (select from pgqueue.queue q where q.queue = set_schedule.queue and q.kind = 'log') then
        perform pgqueue.needs_row_kind(queue, 'groups');
    end if;
    perform pgqueue.check_payload(message, (pgqueue.queue_settings(queue) ->> 'payload_limit')::integer);
    perform pgqueue.check_headers(headers);
    perform pgqueue.check_headers(pgqueue.slot_headers(name, headers, v_now)); -- with ours they still fit
    if not v_known and (select count(*) from pgqueue.schedule) >= c_most then
        perform pgqueue.fault('PQ002', format('there are %s schedules, at most as many as there may be', c_most),
                              'Delete some, or let one schedule send a message whose handler fans out.');
    end if;
    insert into pgqueue.schedule as s (name, queue, cron, timezone, message, headers, group_key, priority, catch_up, catch_up_most, jitter, created_at, changed_at)
    values (name, queue, cron, timezone, message, headers, group_key, priority, catch_up, catch_up_most, jitter, v_now, v_now)
    on conflict on constraint ix_schedule_pkey do update
    set queue = excluded.queue, cron = excluded.cron, timezone = excluded.timezone, message = excluded.message, headers = excluded.headers,
        group_key = excluded.group_key, priority = excluded.priority, catch_up = excluded.catch_up, catch_up_most = excluded.catch_up_most,
        jitter = excluded.jitter, changed_at = v_now, enabled = true, error = null, planned = case when s.enabled then s.planned end
    where (s.queue, s.cron, s.timezone, s.message, s.headers, s.group_key, s.priority, s.catch_up, s.catch_up_most, s.jitter, s.enabled)
        is distinct from (excluded.queue, excluded.cron, excluded.timezone, excluded.message, excluded.headers, excluded.group_key, excluded.priority,
                          excluded.catch_up, excluded.catch_up_most, excluded.jitter, true);
    return case when not found then 'unchanged' when v_known then 'changed' else 'created' end;
end
$$;
