create or replace function pgqueue.configure_queue(queue text, settings jsonb)
returns jsonb
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
-- Change some settings; a JSON null sets one back to its default. The queue's functions get the new constants at once.
-- Returns: the effective settings. Writes: pgqueue.queue, the queue's functions, indexes as fit_indexes. Locks: as lock_ddl().
-- Raises: PQ001, PQ002, PQ008, PQ010 (nothing changed).
declare
    v_kind text;
    v_own jsonb;
begin
    perform pgqueue.require_queue(queue);
    perform pgqueue.lock_ddl();
    perform pgqueue.require_queue(queue);
    if settings is null or jsonb_typeof(settings) <> 'object' then
        perform pgqueue.fault('PQ002', 'settings must be a JSON object', 'Pass {"vt": 60}, for one.');
    end if;
    select q.kind, jsonb_strip_nulls(q.settings || configure_queue.settings) into v_kind, v_own from pgqueue.queue q where q.queue = configure_queue.queue;
    perform pgqueue.check_settings(pgqueue.effective_settings(v_own)
        || (settings - array(select jsonb_object_keys(pgqueue.default_settings()))), v_kind);
    update pgqueue.queue q set settings = v_own where q.queue = configure_queue.queue;
    perform pgqueue.fit_indexes(queue);
    perform pgqueue.clone_functions(queue);
    return pgqueue.effective_settings(v_own);
end
$$;
