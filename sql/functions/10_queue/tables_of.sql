create or replace function pgqueue.tables_of(queue text, letters text)
returns text[]
language sql stable
set search_path = pg_catalog, pg_temp
as $$
-- The tables of a queue with these first letters, those that its kind has: rlmchkad, in the order in which they are locked.
-- Returns: qualified names, quoted where needed, in the order of the letters.
select coalesce(array_agg(format('pgqueue.%I', t.letter || '_' || $1) order by t.place), '{}')
from string_to_table($2, null) with ordinality t(letter, place)
where to_regclass(format('pgqueue.%I', t.letter || '_' || $1)) is not null
$$;
