create or replace function pgqueue.baked_settings(queue text)
returns jsonb
language sql stable
set search_path = pg_catalog, pg_temp
as $$
-- What clone_functions writes into a queue's functions: its effective settings, and what follows from them. gated says whether a
-- read has to ask the gate at all, so that a queue without pause and limits pays for one look at a constant.
-- Returns: a JSON object of names and values.
select s.settings || jsonb_build_object(
    'hard_cap', (s.settings ->> 'max_reads')::integer + (s.settings ->> 'repark_budget')::integer,
    'burst', case when (s.settings ->> 'rate_burst')::integer > 0 then (s.settings ->> 'rate_burst')::integer
                  else greatest(ceil((s.settings ->> 'rate_limit')::numeric), 1) end,
    'paused_until', coalesce(s.until, '-infinity'),
    'gated', s.until is not null or (s.settings ->> 'rate_limit')::numeric > 0 or (s.settings ->> 'max_in_flight')::integer > 0
             or (s.settings ->> 'max_in_flight_per_key')::integer > 0)
from (select pgqueue.effective_settings(q.settings) as settings,
             (select coalesce(p.until, 'infinity') from pgqueue.paused_queue p where p.queue = q.queue) as until
      from pgqueue.queue q where q.queue = $1) s
$$;
