create or replace function pgqueue.needs_row_kind(queue text, what text)
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
-- Raises: PQ008.
begin
    perform pgqueue.fault('PQ008', format('queue %s is of kind log: it has no %s', pgqueue.quoted(queue), what),
                          'Make a queue of kind row for this; both kinds may stand side by side.');
end
$$;
