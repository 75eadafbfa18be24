create or replace function pgqueue.drop_queue(queue text, force boolean default false)
returns boolean
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
-- Drop a queue with its archive and dead letters. Its highest id is kept, so a receipt or id of the old queue never
-- fits a message of a new one.
-- Returns: false when there is none. Writes: pgqueue.queue, pgqueue.step, pgqueue.paused_queue, pgqueue.dropped_queue; drops tables and functions.
-- Locks: as lock_ddl(), then the views and tables exclusively, briefly.
-- Raises: PQ005 when it holds messages or dead letters and force is not true, PQ010.
declare
    v_tables text[];
    v_look text;
    v_problem constant text := format('queue %s holds messages or dead letters', pgqueue.quoted(queue));
    v_cure constant text := 'Look at them first; then drop with force => true.';
    v_held boolean;
begin
    perform pgqueue.lock_ddl();
    if not exists (select from pgqueue.queue q where q.queue = drop_queue.queue) then
        return false;
    end if;
    v_tables := pgqueue.tables_of(queue, 'rlmchkad');
    v_look := format('select exists (select from pgqueue.%I d where d.redriven_as is null)', 'd_' || queue)
        || (select string_agg(format(' or exists (select from %s)', t), '') from unnest(pgqueue.tables_of(queue, 'rlm')) t);
    if force is not true then
        execute v_look into v_held;
        if v_held then
            perform pgqueue.fault('PQ005', v_problem, v_cure);
        end if;
    end if;
    delete from pgqueue.queue q where q.queue = drop_queue.queue;
    delete from pgqueue.step s where s.queue = drop_queue.queue;
    delete from pgqueue.paused_queue p where p.queue = drop_queue.queue;
    -- All or nothing at each try: nobody waits for the views while we wait for a table, and whoever waits for one of the
    -- tables may hold another.
    -- The sequences too: a send of a log holds s_ before its table.
    perform pgqueue.execute_ddl(
        pgqueue.view_definitions() || format(
            '; drop view pgqueue.%2$I; lock table %3$s in access exclusive mode;
             insert into pgqueue.dropped_queue (queue, last_msg_id, dropped_at)
             select %1$L, s.last_value, pgqueue.clock() from pgqueue.%4$I s
             on conflict on constraint dropped_queue_pkey
             do update set last_msg_id = greatest(dropped_queue.last_msg_id, excluded.last_msg_id), dropped_at = excluded.dropped_at;
             drop sequence %5$s',
            queue, 'q_' || queue, array_to_string(v_tables, ', '), 's_' || queue, array_to_string(pgqueue.tables_of(queue, 'wfgus'), ', ')), queue);
    if force is not true then
        -- A sender may have committed between the look and the lock.
        execute v_look into v_held;
        if v_held then
            perform pgqueue.fault('PQ005', v_problem, v_cure);
        end if;
    end if;
    execute format('drop table %s', array_to_string(v_tables, ', '));
    perform pgqueue.drop_clones(queue);
    return true;
end
$$;
