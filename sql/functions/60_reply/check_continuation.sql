create or replace function pgqueue.check_continuation(message jsonb, label text)
returns void
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
-- A message that is sent when another one ends, with its own continuations: checked when it is given, so that what can be known
-- then doesn't fail at the end.
-- Raises: PQ001, PQ002, PQ003.
declare
    c_shape constant text := 'Pass {"queue": "mails", "message": {...}}, perhaps with headers, priority, delay (seconds).';
    v_headers constant jsonb := nullif(message -> 'headers', 'null');
    v_bad text;
begin
    if jsonb_typeof(message) is distinct from 'object' or jsonb_typeof(message -> 'queue') is distinct from 'string' or not message ? 'message'
       or message - '{queue,message,headers,priority,delay}'::text[] <> '{}' then
        perform pgqueue.fault('PQ002', format('%s must be an object with queue and message, and has something else', label), c_shape);
    elsif coalesce(message ->> 'priority', '0') !~ '^[0-9]$' or jsonb_typeof(coalesce(nullif(message -> 'delay', 'null'), '0')) <> 'number'
       or coalesce((message ->> 'delay')::numeric, 0) not between 0 and 31622400 then
        perform pgqueue.fault('PQ002', format('%s has no priority 0 .. 9 or no delay of 0 .. 31622400 seconds', label), c_shape);
    end if;
    perform pgqueue.require_queue(message ->> 'queue');
    perform pgqueue.check_headers(v_headers, label || '.headers');
    select k into v_bad from unnest(array[pgqueue.result_mark(), pgqueue.transport_mark()]) k where message -> 'message' -> 'kwargs' ? k limit 1;
    if v_bad is not null then
        perform pgqueue.fault('PQ002', format('%s: the keyword argument %s is reserved', label, v_bad), 'Rename the argument.');
    elsif v_headers ? 'pgqueue-reply' then
        perform pgqueue.fault('PQ002', format('%s asks for a reply', label), 'Nobody could know the id of that reply: request it where the chain begins.');
    end if;
    perform pgqueue.check_payload(message -> 'message', (pgqueue.queue_settings(message ->> 'queue') ->> 'payload_limit')::integer, label || '.message');
    perform pgqueue.check_continuation(n.value, label || '.' || n.key)
    from jsonb_each(v_headers) n where n.key in ('pgqueue-on-success', 'pgqueue-on-error');
end
$$;
