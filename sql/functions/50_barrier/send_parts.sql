create or replace function pgqueue.send_parts(generation bigint, key text, first integer, parts jsonb)
returns void
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
-- Send the messages of checked parts and note each as a member, numbered from `first` in their order. One send_batch for each
-- queue, priority and 10,000 parts. The header pgqueue-part tells the consumer whose part a message is; nobody believes it without
-- the member row that names the message.
-- Writes: barrier_part, the queues. Locks: as send_batch. Raises: PQ001, PQ002, PQ003, PQ008.
declare
    v_generation constant bigint := generation;
    v_key constant text := key;
    v_chunk record;
begin
    for v_chunk in
        select x.queue, x.priority, array_agg(x.part order by x.part) as parts, array_agg(x.message order by x.part) as messages,
               array_agg(x.headers order by x.part) as headers, array_agg(x.group_key order by x.part) as group_keys
        from (select e.value ->> 'queue' as queue, coalesce((e.value ->> 'priority')::integer, 0) as priority,
                     first + (e.place - 1)::integer as part, e.value -> 'message' as message, e.value ->> 'group_key' as group_key,
                     coalesce(nullif(e.value -> 'headers', 'null'), '{}') || jsonb_build_object('pgqueue-part', jsonb_build_object(
                         'barrier', v_key, 'generation', v_generation, 'part', first + e.place - 1)) as headers,
                     (row_number() over (partition by e.value ->> 'queue', coalesce(e.value ->> 'priority', '0') order by e.place) - 1) / 10000 as chunk
              from jsonb_array_elements(parts) with ordinality e(value, place)) x
        group by x.queue, x.priority, x.chunk
        order by x.queue, x.priority, x.chunk
    loop
        perform pgqueue.require_queue(v_chunk.queue);
        execute format(
            'insert into pgqueue.barrier_part (generation, part, msg_id, queue)
             select $1, s.part, s.msg_id, $2
             from rows from (unnest($3), pgqueue.%I(messages => $4, headers => $5, group_keys => $6, priority => $7)) s(part, msg_id)',
            'send_batch__' || v_chunk.queue)
        using v_generation, v_chunk.queue, v_chunk.parts, v_chunk.messages, v_chunk.headers,
              case when array_remove(v_chunk.group_keys, null) <> '{}' then v_chunk.group_keys end, v_chunk.priority;
    end loop;
end
$$;
