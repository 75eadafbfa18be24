create or replace function pgqueue.check_settings(settings jsonb, kind text)
returns void
language plpgsql immutable
set search_path = pg_catalog, pg_temp
as $$
-- Check effective settings, one rule a row: type, least, most.
-- Raises: PQ002 naming the first bad setting, PQ008 for one that a queue of this kind can't have.
declare
    v_bad record;
begin
    if settings is null or jsonb_typeof(settings) <> 'object' then
        perform pgqueue.fault('PQ002', 'settings must be a JSON object', 'Pass {"vt": 60}, for one.');
    end if;
    select s.key as name, s.value, r.kind, r.least, r.most into v_bad
    from jsonb_each(settings) s
    left join (values
        ('vt', 'number', 0.1, 86400), ('health_stale', 'number', 0.1, 604800), ('max_reads', 'integer', 1, 1000000),
        ('repark_seconds', 'number', 1, 86400), ('repark_budget', 'integer', 0, 1000), ('unknown_grace', 'number', 0, 604800),
        ('batch', 'integer', 1, 1000), ('retention', 'number', 0, 3153600000), ('dead_retention', 'number', 0, 3153600000),
        ('payload_limit', 'integer', 1, 268435456),
        ('key_window', 'number', 60, 31536000), ('archive', 'boolean', null, null), ('backoff', 'object', null, null),
        ('durability', 'string', null, null), ('ack_commit', 'string', null, null), ('rate_limit', 'number', 0, 1000000),
        ('rate_burst', 'integer', 0, 1000000), ('max_in_flight', 'integer', 0, 10000), ('max_in_flight_per_key', 'integer', 0, 1000)
    ) r(name, kind, least, most) on r.name = s.key
    where r.name is null
       or jsonb_typeof(s.value) <> replace(r.kind, 'integer', 'number')
       or (r.kind in ('number', 'integer') and (s.value #>> '{}')::numeric not between r.least and r.most)
       or (r.kind = 'integer' and s.value #>> '{}' !~ '^[0-9]+$')
       or (s.key = 'ack_commit' and s.value #>> '{}' not in ('async', 'sync'))
       or (s.key = 'durability' and s.value #>> '{}' <> 'safe')
    order by s.key limit 1;
    if v_bad.name is not null and v_bad.kind is null then
        perform pgqueue.fault('PQ002', format('unknown setting %s', pgqueue.quoted(v_bad.name)),
                              'Settings: ' || (select string_agg(k, ', ' order by k) from jsonb_object_keys(pgqueue.default_settings()) k));
    elsif v_bad.name is not null then
        perform pgqueue.fault('PQ002', format('setting %s can''t be %s', v_bad.name, pgqueue.quoted(v_bad.value::text)),
                              case when v_bad.least is not null then format('Pass %s %s .. %s.', v_bad.kind, v_bad.least, v_bad.most)
                                   when v_bad.name = 'ack_commit' then 'Pass "async" or "sync".'
                                   when v_bad.name = 'durability' then 'Pass "safe", the only one that this version has.'
                                   else format('Pass a JSON %s.', v_bad.kind) end);
    elsif (settings ->> 'health_stale')::numeric <= (settings ->> 'vt')::numeric then
        perform pgqueue.fault('PQ002', format('health_stale (%s s) must be over vt (%s s)', settings ->> 'health_stale', settings ->> 'vt'),
                              'Set both in one call; 30/60, 180/240, 600/660 and 3660/3720 are good pairs.');
    elsif (settings ->> 'rate_limit')::numeric > 0 and (settings ->> 'rate_limit')::numeric < 0.001 then
        perform pgqueue.fault('PQ002', format('setting rate_limit can''t be %s', settings ->> 'rate_limit'),
                              'Pass 0 for no limit, or messages a second from 0.001 on; pause_queue stops all.');
    elsif (settings ->> 'max_in_flight_per_key')::integer > 0 and kind = 'log' then
        perform pgqueue.fault('PQ008', 'max_in_flight_per_key needs a queue of kind row',
                              'A log hands out its messages in their order, so it can''t pass over a key: make the queue with kind => ''row''.');
    end if;
    select b.key as name, b.value into v_bad
    from jsonb_each(settings -> 'backoff') b
    left join (values ('base', 0.001, 86400), ('factor', 1, 100), ('cap', 0.001, 31536000), ('jitter', 0, 1)) r(name, least, most) on r.name = b.key
    where r.name is null or jsonb_typeof(b.value) <> 'number' or (b.value #>> '{}')::numeric not between r.least and r.most
    limit 1;
    if v_bad.name is not null or not settings -> 'backoff' ?& '{base,factor,cap,jitter}' then
        perform pgqueue.fault('PQ002', 'setting backoff needs base (s), factor (1 .. 100), cap (s) and jitter (0 .. 1)',
                              'Pass {"base": 1, "factor": 2, "cap": 3600, "jitter": 0.2}, for one.');
    end if;
end
$$;
