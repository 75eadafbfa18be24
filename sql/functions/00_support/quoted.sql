create or replace function pgqueue.quoted(value text)
returns text
language sql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
-- A value as an error message may show it: quoted, control characters gone, cut to 80 characters.
-- Returns: text.
select case when $1 is null then 'null' else '"' || left(regexp_replace($1, '[[:cntrl:]]', '?', 'g'), 80) || '"' end
$$;
