create or replace function pgqueue.check_schedule(name text, cron text, timezone text, catch_up text, catch_up_most integer, jitter interval)
returns void
language plpgsql immutable
set search_path = pg_catalog, pg_temp
as $$
-- What SQL can tell of a schedule. Whether the rule is one, and whether there is such a zone, is seen by the scheduler that plans it.
-- Raises: PQ002.
begin
    if name is null or octet_length(name) not between 1 and 255 or name ~ '[[:cntrl:]]' then
        perform pgqueue.fault('PQ002', 'the name of a schedule must have 1 .. 255 bytes and no control characters', 'Choose another name.');
    elsif cron is null or octet_length(cron) > 255 or cron !~ '^[0-9A-Za-z*,/#-]+( +[0-9A-Za-z*,/#-]+){4}$' then
        perform pgqueue.fault('PQ002', format('cron rule %s does not have five fields', pgqueue.quoted(cron)),
                              'Write minute, hour, day of month, month, day of week: 30 2 * * 1-5, for one. The shortest interval is a minute.');
    elsif timezone is null or octet_length(timezone) > 64 or timezone !~ '^(UTC|[A-Z][A-Za-z_]*(/[A-Za-z0-9_+-]+)+)$' then
        perform pgqueue.fault('PQ002', format('time zone %s is neither UTC nor Area/City', pgqueue.quoted(timezone)),
                              'Write Europe/Berlin, for one: abbreviations do not say where clocks change.');
    elsif catch_up is null or catch_up not in ('skip', 'latest', 'all') then
        perform pgqueue.fault('PQ002', format('catch_up %s is unknown', pgqueue.quoted(catch_up)), 'Choose skip, latest or all.');
    elsif catch_up_most is null or catch_up_most not between 1 and 1000 then
        perform pgqueue.fault('PQ002', format('catch_up_most must be 1 .. 1000, not %s', coalesce(catch_up_most::text, 'null')), 'It bounds what catch_up all sends at once.');
    elsif jitter is null or not isfinite(jitter) or jitter < '0' or jitter > '1 hour' then
        perform pgqueue.fault('PQ002', format('jitter must be 0 .. 1 h, not %s', coalesce(jitter::text, 'null')), 'Keep it shorter than the time between two slots.');
    end if;
end
$$;
