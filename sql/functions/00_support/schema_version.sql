create or replace function pgqueue.schema_version()
returns table (version integer, breaking integer)
language sql stable security definer
set search_path = pg_catalog, pg_temp
as $$
-- What a worker asks before it serves: the newest migration, and the newest one that older workers can't serve.
-- Returns: one row; breaking is 0 when there is none.
select coalesce(max(m.version), 0), coalesce(max(m.version) filter (where m.breaking), 0) from pgqueue.migration m
$$;
