create or replace function pgqueue.send_continuation(kind text, continuation jsonb, follows jsonb, result jsonb)
returns void
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
-- Send what follows a message that has just ended. follows: {"queue", "msg_id"} of that one, of a dead one why it died; goes into the
-- header pgqueue-follows. A task gets the result of an on_success in the keyword argument of result_mark().
-- Writes, locks: as send. Raises: what send does; is_refusal tells what the caller has to make of it.
declare
    v_payload jsonb := continuation -> 'message';
    v_kwargs constant jsonb := coalesce(v_payload -> 'kwargs', '{}');
begin
    if kind = 'on_success' and jsonb_typeof(v_payload) = 'object' and jsonb_typeof(v_payload -> 'task') = 'string' and jsonb_typeof(v_kwargs) = 'object' then
        v_payload := v_payload || jsonb_build_object('kwargs', v_kwargs || jsonb_build_object(pgqueue.result_mark(), result));
    end if;
    perform pgqueue.send(continuation ->> 'queue', v_payload,
                         headers => coalesce(nullif(continuation -> 'headers', 'null'), '{}') || jsonb_build_object('pgqueue-follows', follows),
                         delay => make_interval(secs => coalesce((continuation ->> 'delay')::float8, 0)),
                         priority => coalesce((continuation ->> 'priority')::integer, 0));
end
$$;
