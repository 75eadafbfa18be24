create or replace function pgqueue.chain(on_success jsonb default null, on_error jsonb default null, headers jsonb default null)
returns jsonb
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
-- Make the headers of a message with continuations, to be passed to send, send_batch or request: on_success is sent in the
-- transaction of the ack (ack_with), on_error in that of the burial. Each is {"queue", "message", "headers", "priority", "delay"},
-- and its headers may come from chain again.
-- Returns: the headers given, with the continuations. Raises: PQ001, PQ002, PQ003.
declare
    c_limit constant integer := 12288; -- of the 16 KiB of headers: what is told of the message before needs room at each link
    v_headers jsonb := coalesce(nullif(headers, 'null'), '{}');
    v_size integer;
begin
    perform pgqueue.check_headers(v_headers);
    if nullif(on_success, 'null') is not null then
        perform pgqueue.check_continuation(on_success, 'on_success');
        v_headers := v_headers || jsonb_build_object('pgqueue-on-success', on_success);
    end if;
    if nullif(on_error, 'null') is not null then
        perform pgqueue.check_continuation(on_error, 'on_error');
        v_headers := v_headers || jsonb_build_object('pgqueue-on-error', on_error);
    end if;
    v_size := octet_length(v_headers::text);
    if v_size > c_limit then
        perform pgqueue.fault('PQ002', format('the headers with on_success and on_error have %s bytes, at most %s', v_size, c_limit),
                              'Store the data elsewhere and send a reference.');
    end if;
    return nullif(v_headers, '{}');
end
$$;
