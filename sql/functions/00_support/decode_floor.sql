create or replace function pgqueue.decode_floor(hint bigint, due timestamptz)
returns timestamptz
language sql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
-- Returns: the floor that encode_floor put into the number; null when it is not to be believed any longer.
select to_timestamp(((hint >> 28) * 100 - (hint & 67108863) * 4) / 1000.0) where (hint >> 28) > extract(epoch from due) * 10
$$;
