create or replace function pgqueue.saved__template_queue(due timestamptz)
returns integer
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
-- How many messages rate_limit allows at once: a bucket of `burst` that fills at that rate. g_ holds when it will be full, in
-- microseconds since the epoch: one number, without a row that every read would leave dead. A reader that rolls back has spent
-- what it took. A bucket that would be full later than from empty (the rate was raised, the clock set back) counts as empty.
-- Returns: 0 .. burst. Sets: g_ in that case. Called under the gate lock.
declare
    c_rate constant double precision := '1'; -- setting: rate_limit
    c_burst constant double precision := '1'; -- setting: burst
    v_now constant bigint := extract(epoch from due) * 1000000;
    v_empty constant bigint := ceil(c_burst / c_rate * 1000000);
    v_full bigint := coalesce(pg_sequence_last_value('pgqueue.g_template_queue'::regclass), 0);
begin
    if v_full > v_now + v_empty then
        v_full := setval('pgqueue.g_template_queue', v_now + v_empty);
    end if;
    return floor(c_burst - greatest(v_full - v_now, 0) * c_rate / 1000000 + 0.000001);
end
$$;
