create or replace function pgqueue.create_queue(queue text, kind text default null, settings jsonb default '{}')
returns void
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
-- Make a queue of kind log, or of kind row for groups and filters; the same call again changes nothing. Ids go on above those of a dropped queue of the name.
-- Writes: pgqueue.queue, the queue's tables and functions, the views over all queues.
-- Locks: as lock_ddl() and refresh_views(). Raises: PQ002, PQ004 (there is one with other settings), PQ008, PQ010.
declare
    v_kind constant text := coalesce(kind, 'log');
    v_settings constant jsonb := coalesce(settings, '{}');
    v_there pgqueue.queue;
    v_first_id bigint;
begin
    perform pgqueue.check_queue_name(queue);
    if v_kind not in ('row', 'log') then
        perform pgqueue.fault('PQ002', format('kind %s is unknown', pgqueue.quoted(v_kind)), 'Kinds: row, log.');
    end if;
    perform pgqueue.check_settings(pgqueue.effective_settings(v_settings), v_kind);
    perform pgqueue.lock_ddl();
    select q.* into v_there from pgqueue.queue q where q.queue = create_queue.queue;
    if found then
        if v_there.kind <> coalesce(kind, v_there.kind) or pgqueue.effective_settings(v_there.settings) <> pgqueue.effective_settings(v_settings) then
            perform pgqueue.fault('PQ004', format('queue %s exists with other settings', pgqueue.quoted(queue)),
                                  'Change them with configure_queue.', format('kind %s, settings %s', v_there.kind, v_there.settings));
        end if;
        return;
    end if;
    insert into pgqueue.queue (queue, kind, settings, created_at) values (create_queue.queue, v_kind, v_settings, pgqueue.clock())
    on conflict do nothing; -- under repeatable read a queue just made is unseen: then 40001, which says try again, not 23505
    v_first_id := coalesce((select d.last_msg_id from pgqueue.dropped_queue d where d.queue = create_queue.queue), 0) + 1;
    perform pgqueue.create_tables(queue, v_first_id);
    if v_kind = 'log' then
        perform pgqueue.create_log_tables(queue, v_first_id);
    end if;
    perform pgqueue.create_doorbell(queue);
    perform pgqueue.watch_burials(queue);
    perform pgqueue.fit_indexes(queue);
    perform pgqueue.clone_functions(queue);
    perform pgqueue.grant_tables(queue);
    perform pgqueue.refresh_views(queue);
end
$$;
