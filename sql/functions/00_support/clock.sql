create or replace function pgqueue.clock()
returns timestamptz
language plpgsql stable parallel safe
set search_path = pg_catalog, pg_temp
as $$
-- The only clock of pgqueue: read once a verb into a variable, never inside a predicate, an index or a view's filter.
-- Moves within a transaction (now() stands still there). Tests replace this body; a lint test guards the shipped one.
-- Returns: the database's wall clock.
begin
    return clock_timestamp();
end
$$;
