create or replace function pgqueue.barrier_message(message jsonb, label text)
returns jsonb
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
-- The message that an ended barrier sends: {"queue", "message", "headers", "priority"}. Checked when it is armed, so that what can
-- be known then doesn't fail when it fires. A task message gets the transport mark into its kwargs, on a copy.
-- Returns: the message as it will be sent. Raises: PQ001, PQ002, PQ003.
declare
    v_mark constant text := pgqueue.transport_mark();
    v_headers constant jsonb := nullif(message -> 'headers', 'null');
    v_payload jsonb := message -> 'message';
    v_kwargs constant jsonb := coalesce(v_payload -> 'kwargs', '{}');
begin
    if jsonb_typeof(message) is distinct from 'object' or jsonb_typeof(message -> 'queue') is distinct from 'string'
       or message - '{queue,message,headers,priority}'::text[] <> '{}' then
        perform pgqueue.fault('PQ002', format('%s must be an object with queue and message, and perhaps headers and priority', label),
                              'Pass {"queue": "reports", "message": {"task": "reports.total"}}, for one.');
    elsif coalesce(message ->> 'priority', '0') !~ '^[0-9]$' then
        perform pgqueue.fault('PQ002', format('the priority of %s must be 0 .. 9', label), 'Higher numbers are read first; the default is 0.');
    end if;
    perform pgqueue.require_queue(message ->> 'queue');
    perform pgqueue.check_headers(v_headers, label || '.headers');
    if v_headers ?| '{pgqueue-reply,pgqueue-on-success,pgqueue-on-error}' then
        perform pgqueue.fault('PQ002', label || ' asks for a reply or has a continuation', 'Send what is to follow in its handler.');
    end if;
    if jsonb_typeof(v_payload) = 'object' and jsonb_typeof(v_payload -> 'task') = 'string' and jsonb_typeof(v_kwargs) = 'object' then
        if v_kwargs ? v_mark then
            perform pgqueue.fault('PQ002', format('%s: the keyword argument %s is reserved', label, v_mark), 'Rename the argument.');
        end if;
        v_payload := v_payload || jsonb_build_object('kwargs', v_kwargs || jsonb_build_object(v_mark, true));
    end if;
    perform pgqueue.check_payload(v_payload, (pgqueue.queue_settings(message ->> 'queue') ->> 'payload_limit')::integer, label || '.message');
    return message || jsonb_build_object('message', v_payload, 'headers', coalesce(v_headers, '{}'));
end
$$;
