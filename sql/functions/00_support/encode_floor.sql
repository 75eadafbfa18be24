create or replace function pgqueue.encode_floor(floor timestamptz, until timestamptz)
returns bigint
language sql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
-- A floor under a claim index and how long to believe in it, as the one number that a sequence holds: until in ms since the epoch,
-- and in the low 20 bits how many ms the floor lies before that, 17 minutes at most (a lower floor is only slower).
-- Returns: the number. decode_floor reads it.
select floor(extract(epoch from $2) * 1000)::bigint << 20 | least(greatest(ceil(extract(epoch from $2 - $1) * 1000), 0), 1048575)::bigint
$$;
