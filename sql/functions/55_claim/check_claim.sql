create or replace function pgqueue.check_claim(name text, key text)
returns void
language plpgsql immutable
set search_path = pg_catalog, pg_temp
as $$
-- Raises: PQ002.
begin
    if name is null or octet_length(name) not between 1 and 255 or key is null or octet_length(key) not between 1 and 255 then
        perform pgqueue.fault('PQ002', 'name and key of a claim must have 1 .. 255 bytes each', 'Hash what is longer.');
    end if;
end
$$;
