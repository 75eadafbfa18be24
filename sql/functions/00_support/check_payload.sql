create or replace function pgqueue.check_payload(payload jsonb, payload_limit integer, label text default 'message')
returns void
language plpgsql immutable
set search_path = pg_catalog, pg_temp
as $$
-- Refuse what a consumer could not decode: size of payload::text, depth over 128, numbers outside a double.
-- Raises: PQ003 with the path of the bad value in the detail.
declare
    v_size constant integer := octet_length(payload::text);
    v_path text;
begin
    if payload is null then
        perform pgqueue.fault('PQ003', label || ' is null', 'Send a JSON value; the JSON null is written ''null''.');
    elsif v_size > payload_limit then
        perform pgqueue.fault('PQ003', format('%s has %s bytes, at most %s', label, v_size, payload_limit),
                              'Store the body elsewhere and send a reference, or raise payload_limit with configure_queue.');
    elsif pgqueue.is_suspect(payload) then
        with recursive node(path, value, depth) as (
            select '$'::text, payload, 0
            union all
            select n.path || c.step, c.value, n.depth + 1
            from node n
            cross join lateral (
                select '.' || o.key as step, o.value
                from jsonb_each(case when jsonb_typeof(n.value) = 'object' then n.value else '{}' end) o
                union all
                select '[' || (a.place - 1) || ']', a.value
                from jsonb_array_elements(case when jsonb_typeof(n.value) = 'array' then n.value else '[]' end)
                     with ordinality a(value, place)
            ) c
            where n.depth < 128
        )
        select n.path into v_path
        from node n
        where (n.depth = 128 and jsonb_typeof(n.value) in ('object', 'array'))
           or (jsonb_typeof(n.value) = 'number' and abs((n.value #>> '{}')::numeric) > 1.797e308)
        limit 1;
        if v_path is not null then
            perform pgqueue.fault('PQ003', label || ' is nested over 128 levels deep or has a number outside the range of a double',
                                  'Flatten the value, or send the number as a string.', 'at ' || left(v_path, 200));
        end if;
    end if;
end
$$;
