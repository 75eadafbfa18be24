create or replace function pgqueue.barrier_arm(key text, parts jsonb, callback jsonb, options jsonb default '{}')
returns bigint
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
-- Send the messages of all parts and arm the barrier that waits for them: all of it, if and only if the caller's transaction
-- commits. Parts are numbered from 0. When the last one has ended, the callback is sent, in the transaction of that end.
-- Options: policy abort|collect|retry, deadline, stall_after, retries, retention, fire_empty, new_generation, on_failure (a message).
-- Returns: the generation of this run; null, and nothing is written, where there are no parts (unless fire_empty).
-- Writes: barrier, barrier_part, the queues. Locks: groups by number, then as send_batch, then the key.
-- Raises: PQ001, PQ002, PQ003, PQ006, PQ008, PQ011 (a live barrier has the key).
declare
    v_key constant text := key;
    v_options jsonb := pgqueue.barrier_options(options);
    v_callback constant jsonb := pgqueue.barrier_message(callback, 'callback');
    v_count constant integer := pgqueue.check_parts(parts);
    v_generation bigint;
begin
    perform pgqueue.check_barrier_key(v_key);
    if v_options -> 'on_failure' <> 'null' then
        v_options := v_options || jsonb_build_object('on_failure', pgqueue.barrier_message(v_options -> 'on_failure', 'on_failure'));
    end if;
    if v_count = 0 and v_options -> 'fire_empty' = 'false' then
        return null;
    elsif v_options -> 'new_generation' = 'false' and exists (select from pgqueue.barrier b where b.key = v_key and b.state = 'live') then
        -- Before the work of sending; the index decides.
        perform pgqueue.fault('PQ011', format('barrier %s is live', pgqueue.quoted(v_key)),
                              'Wait for it, abort it with barrier_abort, or arm with the option new_generation, which replaces it.');
    end if;
    perform pgqueue.lock_groups(parts);
    v_generation := nextval('pgqueue.barrier_generation');
    perform pgqueue.send_parts(v_generation, v_key, 0, parts);
    perform pgqueue.open_barrier(v_generation, v_key, v_count, v_callback, v_options);
    if v_count = 0 then
        perform pgqueue.fire_barrier(v_generation);
    end if;
    return v_generation;
end
$$;
