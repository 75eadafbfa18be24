create or replace function pgqueue.clean_text(value text)
returns text
language sql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
-- Error texts come from anywhere: control characters except tab and newline go, and the text is cut, never refused,
-- since a failure that can't be recorded would be redelivered for ever.
-- Returns: text of at most 8,192 characters; null stays null.
select left(regexp_replace($1, '[\u0001-\u0008\u000b-\u001f\u007f]', '', 'g'), 8192)
$$;
