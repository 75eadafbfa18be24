create or replace function pgqueue.effective_settings(settings jsonb)
returns jsonb
language sql stable parallel safe
set search_path = pg_catalog, pg_temp
as $$
-- What a queue's own settings make of the defaults; a backoff may be given in part.
-- Returns: a JSON object with every setting.
select pgqueue.default_settings() || $1
    || jsonb_build_object('backoff', (pgqueue.default_settings() -> 'backoff') || coalesce($1 -> 'backoff', '{}'))
$$;
