create or replace function pgqueue.spend__template_queue(qty integer, due timestamptz)
returns void
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
-- Count qty messages that were handed out against rate_limit. Called under the gate lock, by the read that asked the gate.
-- Sets: g_, at once and for good.
declare
    c_rate constant double precision := '0'; -- setting: rate_limit
    v_now constant bigint := extract(epoch from due) * 1000000;
begin
    if c_rate > 0 and qty > 0 then
        perform setval('pgqueue.g_template_queue', greatest(v_now, coalesce(pg_sequence_last_value('pgqueue.g_template_queue'::regclass), 0))
                                                   + ceil(qty / c_rate * 1000000)::bigint);
    end if;
end
$$;
