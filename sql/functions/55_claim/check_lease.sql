create or replace function pgqueue.check_lease(lease interval)
returns interval
language plpgsql immutable
set search_path = pg_catalog, pg_temp
as $$
-- Returns: the lease. Raises: PQ002.
begin
    if lease is null or not isfinite(lease) or lease < '1 s' or lease > '24 hours' then
        perform pgqueue.fault('PQ002', format('lease must be 1 s .. 24 h, not %s', coalesce(lease::text, 'null')), 'Renew longer work with renew_claim.');
    end if;
    return lease;
end
$$;
