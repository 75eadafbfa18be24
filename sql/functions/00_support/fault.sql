create or replace function pgqueue.fault(code text, problem text, hint text, detail text default '')
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
-- Raise one of our own errors. The codes are the contract, the texts are for people.
-- Raises: PQ001 queue_not_found, PQ002 invalid_input, PQ003 payload_error, PQ004 queue_exists, PQ005 queue_not_empty,
--   PQ006 key_busy, PQ007 stale_receipt, PQ008 needs_row_kind, PQ009 schema_mismatch, PQ010 queue_busy,
--   PQ011 barrier_live, PQ012 part_not_live, PQ013 claim_lost, PQ014 continuation_failed.
begin
    if detail = '' then
        raise exception using errcode = code, message = problem, hint = hint;
    end if;
    raise exception using errcode = code, message = problem, hint = hint, detail = detail;
end
$$;
