create or replace function pgqueue.lift_sequence(queue text)
returns bigint
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
-- After a restore or a switch-over by logical replication a sequence may stand below the ids in use: lift it above them.
-- Returns: the id after which new ones go on. Writes: s_, only when it is behind.
declare
    v_used bigint;
    v_next bigint;
begin
    execute format('select greatest((select max(r.msg_id) from pgqueue.%I r), (select max(a.msg_id) from pgqueue.%I a),
                                    (select max(d.msg_id) from pgqueue.%I d), (select max(k.msg_id) from pgqueue.%I k), 0)',
                   'r_' || queue, 'a_' || queue, 'd_' || queue, 'k_' || queue) into v_used;
    execute format('select case when s.is_called then s.last_value else s.last_value - 1 end from pgqueue.%I s', 's_' || queue) into v_next;
    if v_used > v_next then
        perform setval(format('pgqueue.%I', 's_' || queue)::regclass, v_used);
    end if;
    return greatest(v_used, v_next);
end
$$;
