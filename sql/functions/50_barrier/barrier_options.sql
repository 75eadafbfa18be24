create or replace function pgqueue.barrier_options(options jsonb)
returns jsonb
language plpgsql immutable
set search_path = pg_catalog, pg_temp
as $$
-- Check the options of barrier_arm, one rule a row, and put the defaults in. Durations are seconds.
-- Returns: an object with every option. Raises: PQ002 naming the first bad one.
declare
    c_defaults constant jsonb := '{"policy": "abort", "deadline": 21600, "stall_after": 9000, "retries": 3, "retention": 604800,
                                   "fire_empty": false, "new_generation": false, "on_failure": null}';
    v_given constant jsonb := coalesce(options, '{}');
    v_bad record;
begin
    if jsonb_typeof(v_given) <> 'object' then
        perform pgqueue.fault('PQ002', 'options must be a JSON object', 'Pass {"policy": "collect"}, for one.');
    end if;
    select o.key as name, o.value, r.kind, r.least, r.most into v_bad
    from jsonb_each(v_given) o
    left join (values
        ('policy', 'string', null, null), ('deadline', 'number', 1, 31622400), ('stall_after', 'number', 1, 31622400),
        ('retries', 'integer', 0, 100), ('retention', 'number', 60, 3153600000), ('fire_empty', 'boolean', null, null),
        ('new_generation', 'boolean', null, null), ('on_failure', 'object', null, null)
    ) r(name, kind, least, most) on r.name = o.key
    where r.name is null
       or (jsonb_typeof(o.value) <> replace(r.kind, 'integer', 'number') and not (o.key = 'on_failure' and o.value = 'null'))
       or (r.kind in ('number', 'integer') and (o.value #>> '{}')::numeric not between r.least and r.most)
       or (r.kind = 'integer' and o.value #>> '{}' !~ '^[0-9]+$')
       or (o.key = 'policy' and o.value #>> '{}' not in ('abort', 'collect', 'retry'))
    order by o.key limit 1;
    if v_bad.name is not null and v_bad.kind is null then
        perform pgqueue.fault('PQ002', format('unknown option %s', pgqueue.quoted(v_bad.name)),
                              'Options: ' || (select string_agg(k, ', ' order by k) from jsonb_object_keys(c_defaults) k));
    elsif v_bad.name is not null then
        perform pgqueue.fault('PQ002', format('option %s can''t be %s', v_bad.name, pgqueue.quoted(v_bad.value::text)),
                              case when v_bad.least is not null then format('Pass %s %s .. %s.', v_bad.kind, v_bad.least, v_bad.most)
                                   when v_bad.name = 'policy' then 'Pass "abort", "collect" or "retry".'
                                   else format('Pass a JSON %s.', v_bad.kind) end);
    end if;
    return c_defaults || v_given;
end
$$;
