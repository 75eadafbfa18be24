create or replace function pgqueue.metrics(queue text default null)
returns setof pgqueue.queues
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
-- Depth, age and settings of one queue, or of all.
-- Returns: rows of the view queues, by name. Raises: PQ001.
begin
    if queue is not null then
        perform pgqueue.require_queue(queue);
    end if;
    return query select q.* from pgqueue.queues q where metrics.queue is null or q.queue = metrics.queue order by q.queue;
end
$$;
