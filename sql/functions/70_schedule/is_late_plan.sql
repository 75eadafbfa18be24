create or replace function pgqueue.is_late_plan(schedule pgqueue.schedule, slots timestamptz[], due_at timestamptz, now timestamptz)
returns boolean
language sql stable
set search_path = pg_catalog, pg_temp
as $$
-- Whoever was stopped between reading and writing may hold a plan that its policy no longer allows: under skip and latest one more slot
-- has come since, under skip the slot is over a minute late, or the policy was changed.
-- Returns: true, and the plan is to be made anew.
select case ($1).catch_up
           when 'all' then cardinality($2) > ($1).catch_up_most
           when 'latest' then cardinality($2) > 1 or $3 <= $4
           else cardinality($2) > 1 or $3 <= $4 or coalesce($2[1] + ($1).jitter + interval '1 minute' < $4, false) end
$$;
