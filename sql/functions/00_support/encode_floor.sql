create or replace function pgqueue.encode_floor(floor timestamptz, until timestamptz, phase integer)
returns bigint
language sql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
-- A floor under a claim index, how long to believe in it and in which period the whole index was walked last, as the one number that a
-- sequence holds: until in tenths of a second since the epoch, rounded up; two bits of phase, 0 .. 3; in the low 26 bits how many times
-- 4 ms the floor lies before until.
-- Returns: the number, for decode_floor; 0, which is no hint, for a floor more than three days back: a higher one would hide messages.
select case when s.steps <= 67108863 then (s.tenths << 28) | ($3::bigint << 26) | greatest(s.steps, 0)::bigint else 0 end
from (select u.tenths, ceil((u.tenths * 100 - extract(epoch from $1) * 1000) / 4) as steps
      from (select ceil(extract(epoch from $2) * 10)::bigint as tenths) u) s
$$;
