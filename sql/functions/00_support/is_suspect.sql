create or replace function pgqueue.is_suspect(payload jsonb)
returns boolean
language sql immutable parallel safe
as $$
-- What Postgres takes and a consumer could not decode: a container below level 128, or a number that no double holds.
-- Walks the binary value; its text would cost ten times that. No pinned search_path: it is inlined into its callers.
-- Returns: true when check_payload must say where.
select $1 operator(pg_catalog.@?) 'strict $.**{128} ? (@.type() == "array" || @.type() == "object")'::pg_catalog.jsonpath
    or $1 operator(pg_catalog.@?) 'strict $.** ? (@.type() == "number" && @.abs() > 1.797e308)'::pg_catalog.jsonpath
$$;
