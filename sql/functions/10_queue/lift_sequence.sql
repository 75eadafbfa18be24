create or replace function pgqueue.lift_sequence(queue text)
returns bigint
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
-- After a restore or a switch-over by logical replication a sequence may stand below the ids in use: lift it above them. A log's
-- cursor behind a claim would hand out its messages again, and an id below the cursor would wait for a sweep.
-- Returns: the id after which new ones go on. Writes: s_ and u_, only when they are behind.
declare
    v_used bigint;
    v_next bigint;
    v_claimed bigint;
    v_cursor bigint;
begin
    execute (select format('select greatest(%s, 0)', string_agg(format('(select max(t.msg_id) from %s t)', t), ', '))
             from unnest(pgqueue.tables_of(queue, 'rlmkad')) t) into v_used;
    if pgqueue.tables_of(queue, 'c') <> '{}' then
        execute format('select coalesce(max(c.hi), 0) from pgqueue.%I c', 'c_' || queue) into v_claimed;
        execute format('select u.last_value from pgqueue.%I u', 'u_' || queue) into v_cursor; -- after the claims: readers only move it on
        if v_claimed > v_cursor then
            v_cursor := setval(format('pgqueue.%I', 'u_' || queue)::regclass, v_claimed);
        end if;
        v_used := greatest(v_used, v_cursor);
    end if;
    execute format('select case when s.is_called then s.last_value else s.last_value - 1 end from pgqueue.%I s', 's_' || queue) into v_next;
    if v_used > v_next then
        perform setval(format('pgqueue.%I', 's_' || queue)::regclass, v_used);
    end if;
    return greatest(v_used, v_next);
end
$$;
