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
    v_held boolean;
begin
    perform pgqueue.lock_ddl();
    if not exists (select from pgqueue.queue q where q.queue = drop_queue.queue) then
        return false;
    end if;
    if force is not true then
        execute format('select exists (select from pgqueue.%I) or exists (select from pgqueue.%I d where d.redriven_as is null)',
                       'r_' || queue, 'd_' || queue) into v_held;
        if v_held then
            perform pgqueue.fault('PQ005', format('queue %s holds messages or dead letters', pgqueue.quoted(queue)),
                                  'Look at them first; then drop with force => true.');
        end if;
    end if;
    delete from pgqueue.queue q where q.queue = drop_queue.queue;
    perform pgqueue.refresh_views(queue);
    perform pgqueue.execute_ddl(format('drop view pgqueue.%I', 'q_' || queue), queue);
    -- All at once or none: whoever waits for one of them may hold another.
    perform pgqueue.execute_ddl(format('lock table pgqueue.%I, pgqueue.%I, pgqueue.%I, pgqueue.%I in access exclusive mode',
                                       'r_' || queue, 'k_' || queue, 'a_' || queue, 'd_' || queue), queue);
    if force is not true then
        -- A sender may have committed between the look and the lock.
        execute format('select exists (select from pgqueue.%I)', 'r_' || queue) into v_held;
        if v_held then
            perform pgqueue.fault('PQ005', format('queue %s holds messages', pgqueue.quoted(queue)), 'Look at them first; then drop with force => true.');
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
