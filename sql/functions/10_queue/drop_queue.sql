create or replace function pgqueue.drop_queue(queue text, force boolean default false)
returns boolean
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
-- Drop a queue with its archive and dead letters. Its highest id is kept, so a receipt or id of the old queue never
-- fits a message of a new one.
-- Returns: false when there is none. Writes: pgqueue.queue, pgqueue.dropped_queue; drops tables and functions.
-- Locks: as lock_ddl(), then the views and tables exclusively, briefly.
-- Raises: PQ005 when it holds messages or dead letters and force is not true, PQ010.
declare
    v_look text;
    v_problem constant text := format('queue %s holds messages or dead letters', pgqueue.quoted(queue));
    v_cure constant text := 'Look at them first; then drop with force => true.';
    v_held boolean;
begin
    perform pgqueue.lock_ddl();
    if not exists (select from pgqueue.queue q where q.queue = drop_queue.queue) then
        return false;
    end if;
    v_look := format('select exists (select from pgqueue.%I) or exists (select from pgqueue.%I d where d.redriven_as is null)',
                     'r_' || queue, 'd_' || queue);
    if force is not true then
        execute v_look into v_held;
        if v_held then
            perform pgqueue.fault('PQ005', v_problem, v_cure);
        end if;
    end if;
    delete from pgqueue.queue q where q.queue = drop_queue.queue;
    -- All or nothing at each try: nobody waits for the views while we wait for a table, and whoever waits for one of the
    -- tables may hold another.
    perform pgqueue.execute_ddl(
        pgqueue.view_definitions() || format('; drop view pgqueue.%I; lock table pgqueue.%I, pgqueue.%I, pgqueue.%I, pgqueue.%I in access exclusive mode',
                                             'q_' || queue, 'r_' || queue, 'k_' || queue, 'a_' || queue, 'd_' || queue), queue);
    if force is not true then
        -- A sender may have committed between the look and the lock.
        execute v_look into v_held;
        if v_held then
            perform pgqueue.fault('PQ005', v_problem, v_cure);
        end if;
    end if;
    execute format('insert into pgqueue.dropped_queue (queue, last_msg_id, dropped_at)
                    select %1$L, s.last_value, pgqueue.clock() from pgqueue.%2$I s
                    on conflict on constraint dropped_queue_pkey
                    do update set last_msg_id = greatest(dropped_queue.last_msg_id, excluded.last_msg_id), dropped_at = excluded.dropped_at',
                   queue, 's_' || queue);
    execute format('drop table pgqueue.%I, pgqueue.%I, pgqueue.%I, pgqueue.%I', 'r_' || queue, 'k_' || queue, 'a_' || queue, 'd_' || queue);
    execute format('drop sequence pgqueue.%I', 's_' || queue); -- nobody holds it who does not hold r_
    perform pgqueue.drop_clones(queue);
    return true;
end
$$;
