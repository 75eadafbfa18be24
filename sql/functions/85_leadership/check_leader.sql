create or replace function pgqueue.check_leader(name text, holder text)
returns void
language plpgsql immutable
set search_path = pg_catalog, pg_temp
as $$
-- Two processes under one name would both lead, so a blank holder is refused.
-- Raises: PQ002.
begin
    if name is null or octet_length(name) not between 1 and 255 then
        perform pgqueue.fault('PQ002', 'the name of a lease must have 1 .. 255 bytes', 'Name the chore that it is for.');
    end if;
    if holder is null or holder ~ '^[[:space:]]*$' or octet_length(holder) > 255 then
        perform pgqueue.fault('PQ002', format('holder can''t be %s', pgqueue.quoted(holder)), 'Give what no other process has: host:pid:random, up to 255 bytes.');
    end if;
end
$$;
