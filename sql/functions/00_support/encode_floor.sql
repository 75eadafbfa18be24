create or replace function pgqueue.encode_floor(floor timestamptz, until timestamptz)
returns bigint
language sql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
-- A floor under a claim index and how long to believe in it, as the one number that a sequence holds: until in tenths of a second
-- since the epoch, rounded up, and in the low 28 bits how many ms the floor lies before that.
-- Returns: the number, for decode_floor; 0, which is no hint, for a floor more than three days back: a higher one would hide messages.
select case when s.ms <= 268435455 then s.tenths << 28 | greatest(s.ms, 0)::bigint else 0 end
from (select u.tenths, ceil(u.tenths * 100 - extract(epoch from $1) * 1000) as ms
      from (select ceil(extract(epoch from $2) * 10)::bigint as tenths) u) s
$$;
