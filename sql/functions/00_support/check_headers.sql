create or replace function pgqueue.check_headers(headers jsonb, label text default 'headers')
returns void
language plpgsql immutable
set search_path = pg_catalog, pg_temp
as $$
-- Headers: a JSON object of at most 64 keys and 16 KiB. Keys that start with pgqueue- belong to the library; a sender
-- may set pgqueue-key and pgqueue-scope, the identity that a task declares. pgqueue-part and pgqueue-barrier are written by
-- barriers, and believed only of the message that the barrier's rows name. pgqueue-on-success and -on-error come from chain,
-- pgqueue-reply from request, pgqueue-schedule from schedules; the continuation of a message that a barrier waits for or sends is the barrier's.
-- Raises: PQ002.
declare
    v_text constant text := headers::text;
    v_key text;
begin
    -- Of 384 bytes no 65 keys can be made; this spares small headers the two queries below, which cost ten times as much.
    if headers is null or (octet_length(v_text) <= 384 and jsonb_typeof(headers) = 'object'
                           and position('"pgqueue-' in replace(replace(replace(replace(v_text, '"pgqueue-part":', ''), '"pgqueue-key":', ''),
                                                                               '"pgqueue-scope":', ''), '"pgqueue-barrier":', '')) = 0) then
        return;
    end if;
    if jsonb_typeof(headers) <> 'object' then
        perform pgqueue.fault('PQ002', format('%s must be a JSON object, not %s', label, jsonb_typeof(headers)), 'Send {"name": value}.');
    end if;
    if octet_length(v_text) > 16384 or (select count(*) from jsonb_object_keys(headers)) > 64 then
        perform pgqueue.fault('PQ002', label || ' holds over 64 keys or 16384 bytes', 'Put large data into the message.');
    end if;
    select k into v_key
    from jsonb_object_keys(headers) k
    where starts_with(k, 'pgqueue-') and k not in ('pgqueue-key', 'pgqueue-scope', 'pgqueue-part', 'pgqueue-barrier', 'pgqueue-reply', 'pgqueue-on-success',
                                                   'pgqueue-on-error', 'pgqueue-follows', 'pgqueue-schedule')
    limit 1;
    if v_key is not null then
        perform pgqueue.fault('PQ002', format('%s: the name %s is reserved', label, pgqueue.quoted(v_key)), 'Names that start with pgqueue- belong to the library.');
    elsif headers ?| '{pgqueue-part,pgqueue-barrier}' and headers ?| '{pgqueue-reply,pgqueue-on-success,pgqueue-on-error}' then
        perform pgqueue.fault('PQ002', label || ' ask for a reply or a continuation of a message of a barrier', 'Leave that to the callback of the barrier.');
    end if;
    select c into v_key from unnest('{pgqueue-on-success,pgqueue-on-error}'::text[]) c
    where headers ? c and (jsonb_typeof(headers -> c -> 'queue') is distinct from 'string' or not headers -> c ? 'message') limit 1;
    if v_key is not null then
        perform pgqueue.fault('PQ002', format('%s: %s is no message', label, v_key), 'The function chain of the schema pgqueue makes these headers.');
    end if;
end
$$;
