create or replace function pgqueue.fire_barrier(generation bigint)
returns void
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
-- Send what a barrier sends at its end: the callback when it is done, else the message on_failure, if there is one. Called once,
-- by whoever has just ended it and holds its row. If the message can't be sent, the end doesn't take place either.
-- Writes: barrier, a queue. Locks: as send. Raises: PQ001, PQ002, PQ003.
declare
    v_barrier pgqueue.barrier;
    v_message jsonb;
    v_id bigint;
begin
    select b.* into v_barrier from pgqueue.barrier b where b.generation = fire_barrier.generation;
    v_message := case v_barrier.state when 'done' then v_barrier.callback else v_barrier.on_failure end;
    if v_message is null then
        return;
    end if;
    v_id := pgqueue.send(v_message ->> 'queue', v_message -> 'message',
                         headers => v_message -> 'headers' || jsonb_build_object('pgqueue-barrier',
                             jsonb_build_object('barrier', v_barrier.key, 'generation', v_barrier.generation)),
                         priority => coalesce((v_message ->> 'priority')::integer, 0));
    update pgqueue.barrier b set callback_queue = v_message ->> 'queue', callback_msg_id = v_id where b.generation = v_barrier.generation;
end
$$;
