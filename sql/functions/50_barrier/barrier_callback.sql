create or replace function pgqueue.barrier_callback(queue text, msg_id bigint, generation bigint)
returns text
language sql stable security definer
set search_path = pg_catalog, pg_temp
as $$
-- What to do with a message that says it is the callback of a barrier, asked before its handler runs.
-- Returns: due (run it), finished (a run of it has finished: ack it unrun), unknown (no barrier sent it, or it is forgotten: run it
--   as any other message).
select coalesce((select case when b.callback_finished_at is not null then 'finished' else 'due' end
                 from pgqueue.barrier b where b.generation = $3 and pgqueue.is_callback(b, $1, $2)), 'unknown')
$$;
