create or replace function pgqueue.check_read(vt interval, qty integer)
returns void
language plpgsql immutable
set search_path = pg_catalog, pg_temp
as $$
-- A vt that is not positive would hand one message to two readers at once, so it is refused.
-- Raises: PQ002.
begin
    if vt is null or not isfinite(vt) or vt < '0.1 s' or vt > '24 hours' then
        perform pgqueue.fault('PQ002', format('vt must be 0.1 s .. 24 h, not %s', coalesce(vt::text, 'null')), 'Pass an interval such as ''30 s''; renew longer work with set_vt.');
    end if;
    if qty is null or qty not between 1 and 1000 then
        perform pgqueue.fault('PQ002', format('qty must be 1 .. 1000, not %s', coalesce(qty::text, 'null')), 'Read again for more.');
    end if;
end
$$;
