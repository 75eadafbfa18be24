create or replace function pgqueue.check_barrier_key(key text)
returns void
language plpgsql immutable
set search_path = pg_catalog, pg_temp
as $$
-- Raises: PQ002.
begin
    if key is null or octet_length(key) not between 1 and 255 then
        perform pgqueue.fault('PQ002', format('the key of a barrier must have 1 .. 255 bytes, not %s', coalesce(octet_length(key)::text, 'null')), 'Hash a longer key.');
    end if;
end
$$;
