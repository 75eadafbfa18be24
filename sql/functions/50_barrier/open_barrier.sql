create or replace function pgqueue.open_barrier(generation bigint, key text, parts integer, callback jsonb, options jsonb)
returns void
language plpgsql security definer
set search_path = pg_catalog, pg_temp
set lock_timeout = '5s'
as $$
-- Write the row of a barrier; one without parts is done at once. The unique index on live keys decides between two that arm the
-- same key.
-- Writes: barrier. Locks: the key, and the live barrier that is replaced. Raises: PQ006 (another transaction is arming the key), PQ011.
declare
    v_now constant timestamptz := pgqueue.clock();
    v_deadline constant timestamptz := v_now + make_interval(secs => (options ->> 'deadline')::float8);
begin
    if options -> 'new_generation' = 'true' then
        update pgqueue.barrier b set state = 'replaced', ended_at = v_now, kept_until = v_now + b.retention, reason = format('replaced by generation %s', open_barrier.generation)
        where b.key = open_barrier.key and b.state = 'live';
    end if;
    insert into pgqueue.barrier (generation, key, state, policy, parts, open, retries, armed_at, last_progress_at, deadline_at, stall_after,
                                 retention, check_at, ended_at, kept_until, callback, on_failure)
    values (generation, key, case when parts = 0 then 'done' else 'live' end, options ->> 'policy', parts, parts, (options ->> 'retries')::integer,
            v_now, v_now, v_deadline, make_interval(secs => (options ->> 'stall_after')::float8),
            make_interval(secs => (options ->> 'retention')::float8), least(v_deadline, v_now + interval '1 minute'),
            case when parts = 0 then v_now end,
            case when parts = 0 then v_now + make_interval(secs => (options ->> 'retention')::float8) end, callback, nullif(options -> 'on_failure', 'null'));
exception
    when unique_violation then
        perform pgqueue.fault('PQ011', format('barrier %s is live', pgqueue.quoted(key)),
                              'Wait for it, abort it with barrier_abort, or arm with the option new_generation, which replaces it.');
    when lock_not_available then
        perform pgqueue.fault('PQ006', format('another transaction is at barrier %s', pgqueue.quoted(key)), 'End that transaction, or arm again later.');
end
$$;
