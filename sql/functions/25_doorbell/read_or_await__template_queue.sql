create or replace function pgqueue.read_or_await__template_queue(wait interval, vt interval default null, qty integer default 1, filter jsonb default null,
                                                                 holder text default null)
returns setof pgqueue.message
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
-- Read; when there is nothing, let senders ring for the next `wait` (to 1 h), and read once more: what was committed before
-- they were told is found here, what comes after rings. Whoever gets nothing listens on pgqueue_<queue>, since before this
-- call, reads again after 50 ms for a send that was under way, and at the latest when `wait` is over.
-- While the queue hands out nothing, being paused or at a limit, nobody is to ring.
-- Returns: as read. Writes: as read; w_, at once, without a lock. Locks: as read. Raises: PQ002.
declare
    c_gated constant boolean := 'false'; -- setting: gated
    v_until bigint;
begin
    if wait is null or not isfinite(wait) or wait <= '0' or wait > '1 hour' then
        perform pgqueue.fault('PQ002', format('wait must be over 0 and at most 1 h, not %s', coalesce(wait::text, 'null')), 'Wait again for longer.');
    end if;
    return query select * from pgqueue.read__template_queue(vt, qty, filter, holder);
    if not found then
        if c_gated then
            if pgqueue.gate__template_queue(1, pgqueue.clock()) < 1 then
                return;
            end if;
        end if;
        v_until := extract(epoch from pgqueue.clock() + wait) * 1000;
        -- Of two waiters at once the nearer end may win: then the other one's poll comes first.
        perform setval('pgqueue.w_template_queue', greatest(v_until, pg_sequence_last_value('pgqueue.w_template_queue')));
        return query select * from pgqueue.read__template_queue(vt, qty, filter, holder);
    end if;
end
$$;
