create or replace function pgqueue.check_queue_name(queue text)
returns void
language plpgsql immutable
set search_path = pg_catalog, pg_temp
as $$
-- Names become identifiers, so the rule is narrow: lower-case ASCII, at most 47 bytes.
-- Raises: PQ002.
declare
    v_bad text;
begin
    if queue is null then
        perform pgqueue.fault('PQ002', 'queue name is required', 'Pass a name such as orders.');
    elsif queue = '' then
        perform pgqueue.fault('PQ002', 'queue name is empty', 'Pass a name such as orders.');
    elsif octet_length(queue) > 47 then
        perform pgqueue.fault('PQ002', format('queue name is too long: %s bytes, at most 47', octet_length(queue)), 'Choose a shorter name.',
                              pgqueue.quoted(queue));
    elsif queue in ('template_queue', 'template_log') then
        perform pgqueue.fault('PQ002', format('queue name %s is reserved', pgqueue.quoted(queue)), 'Choose another name.');
    elsif queue !~ '^[a-z][a-z0-9_]*$' then
        v_bad := substring(queue from '[^a-z0-9_]');
        perform pgqueue.fault(
            'PQ002', format('queue name %s breaks the rule ^[a-z][a-z0-9_]{0,46}$', pgqueue.quoted(queue)),
            case when lower(queue) ~ '^[a-z][a-z0-9_]*$' then format('Use %s.', pgqueue.quoted(lower(queue)))
                 else 'Start with a letter a-z; then letters a-z, digits and underscores.' end,
            case when v_bad is not null then format('first bad character: U+%s', lpad(upper(to_hex(ascii(v_bad))), greatest(4, length(to_hex(ascii(v_bad)))), '0')) else '' end);
    end if;
end
$$;
