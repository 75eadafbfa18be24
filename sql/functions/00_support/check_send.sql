create or replace function pgqueue.check_send(delay interval, key text, group_key text, priority integer)
returns void
language plpgsql immutable
set search_path = pg_catalog, pg_temp
as $$
-- The arguments of a send apart from its payload.
-- Raises: PQ002.
begin
    if delay is null or not isfinite(delay) or delay < '0' or delay > '366 days' then
        perform pgqueue.fault('PQ002', format('delay must be 0 .. 366 days, not %s', coalesce(delay::text, 'null')), 'Pass an interval such as ''5 minutes''.');
    end if;
    if priority is null or priority not between 0 and 9 then
        perform pgqueue.fault('PQ002', format('priority must be 0 .. 9, not %s', coalesce(priority::text, 'null')), 'Higher numbers are read first; the default is 0.');
    end if;
    if key is not null and octet_length(key) not between 1 and 255 then
        perform pgqueue.fault('PQ002', format('key must have 1 .. 255 bytes, not %s', octet_length(key)), 'Hash a longer key.');
    end if;
    if group_key is not null and octet_length(group_key) not between 1 and 255 then
        perform pgqueue.fault('PQ002', format('group_key must have 1 .. 255 bytes, not %s', octet_length(group_key)), 'Hash a longer key.');
    end if;
end
$$;
