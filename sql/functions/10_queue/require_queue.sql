create or replace function pgqueue.require_queue(queue text)
returns void
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
-- Every verb by name begins here.
-- Raises: PQ001 with the nearest names, PQ002 for a name that can't be one.
declare
    v_near text;
begin
    -- A queue has its functions or is none; the catalogue's cache answers sooner than a query on pgqueue.queue.
    if to_regproc(format('pgqueue.%I', 'send__' || coalesce(queue, ''))) is null or queue in ('template_queue', 'template_log') then
        perform pgqueue.check_queue_name(queue);
        select string_agg(n.queue, ', ' order by n.queue) into v_near
        from (select q.queue from pgqueue.queue q
              where left(q.queue, 3) = left(require_queue.queue, 3) or position(require_queue.queue in q.queue) > 0 limit 5) n;
        perform pgqueue.fault('PQ001', format('queue %s does not exist', pgqueue.quoted(queue)),
                              coalesce('Did you mean ' || v_near || '? ', '') || format('Make it with select pgqueue.create_queue(%L).', queue));
    end if;
end
$$;
