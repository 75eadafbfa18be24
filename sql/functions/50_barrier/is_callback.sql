create or replace function pgqueue.is_callback(barrier pgqueue.barrier, queue text, msg_id bigint)
returns boolean
language sql stable security definer
set search_path = pg_catalog, pg_temp
as $$
-- Whether a message is the one that the barrier has sent at its end, or that one sent again from the dead letters.
-- Returns: true or false.
select coalesce($1.callback_queue = $2 and ($1.callback_msg_id = $3 or pgqueue.is_redrive_of($2, $1.callback_msg_id, $3)), false)
$$;
