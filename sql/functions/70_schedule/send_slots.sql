create or replace function pgqueue.send_slots(schedule pgqueue.schedule, slots timestamptz[])
returns bigint[]
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
-- Send the message of a schedule once for each slot; a null slot stands for one that is fired by hand.
-- Returns: the ids in the order of the slots. Writes, locks: as send_batch. Raises: PQ001, PQ002, PQ003, PQ008.
declare
    s constant pgqueue.schedule := schedule;
    v_ids bigint[];
begin
    if cardinality(slots) = 0 then
        return '{}';
    end if;
    perform pgqueue.require_queue(s.queue);
    execute format('select array_agg(b.msg_id order by b.place)
                    from pgqueue.%I(messages => $1, headers => $2, group_keys => $3, priority => $4) with ordinality b(msg_id, place)',
                   'send_batch__' || s.queue)
    into v_ids
    using array_fill(s.message, array[cardinality(slots)]),
          array(select pgqueue.slot_headers(s.name, s.headers, u.at) from unnest(slots) with ordinality u(at, place) order by u.place),
          case when s.group_key is not null then array_fill(s.group_key, array[cardinality(slots)]) end, s.priority;
    return v_ids;
end
$$;
