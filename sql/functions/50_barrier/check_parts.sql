create or replace function pgqueue.check_parts(parts jsonb)
returns integer
language plpgsql immutable
set search_path = pg_catalog, pg_temp
as $$
-- Parts: a JSON array of {"queue", "message", "headers", "group_key", "priority"}, the last three optional. What a send checks of
-- a message is left to it.
-- Returns: how many. Raises: PQ002 with the number of the first bad part.
declare
    c_most constant integer := 1000000;
    c_shape constant text := 'Pass {"queue": "files", "message": {...}}, perhaps with headers, group_key, priority.';
    v_mark constant text := pgqueue.transport_mark();
    v_bad record;
begin
    if jsonb_typeof(parts) is distinct from 'array' then
        perform pgqueue.fault('PQ002', 'parts must be a JSON array', c_shape);
    elsif jsonb_array_length(parts) > c_most then
        perform pgqueue.fault('PQ002', format('%s parts, at most %s', jsonb_array_length(parts), c_most), 'Give each part more to do.');
    end if;
    select e.place - 1 as part,
           case when e.value -> 'message' -> 'kwargs' ? v_mark then format('has the reserved keyword argument %s', v_mark)
                when jsonb_typeof(e.value -> 'headers') = 'object' and e.value -> 'headers' ?| '{pgqueue-reply,pgqueue-on-success,pgqueue-on-error}'
                    then 'asks for a reply or has a continuation: leave that to the callback'
                else 'is no object with queue and message, or has something else in it' end as problem into v_bad
    from jsonb_array_elements(parts) with ordinality e(value, place)
    where jsonb_typeof(e.value) <> 'object'
       or jsonb_typeof(e.value -> 'queue') is distinct from 'string'
       or not e.value ? 'message'
       or e.value - '{queue,message,headers,group_key,priority}'::text[] <> '{}'
       or coalesce(jsonb_typeof(e.value -> 'headers'), 'null') not in ('object', 'null')
       or coalesce(jsonb_typeof(e.value -> 'group_key'), 'null') not in ('string', 'null')
       or coalesce(e.value ->> 'priority', '0') !~ '^[0-9]$'
       or e.value -> 'message' -> 'kwargs' ? v_mark
       or e.value -> 'headers' ?| '{pgqueue-reply,pgqueue-on-success,pgqueue-on-error}'
    limit 1;
    if v_bad.part is not null then
        perform pgqueue.fault('PQ002', format('parts[%s] %s', v_bad.part, v_bad.problem), c_shape);
    end if;
    return jsonb_array_length(parts);
end
$$;
