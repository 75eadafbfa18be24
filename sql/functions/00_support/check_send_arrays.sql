create or replace function pgqueue.check_send_arrays(count integer, dimensions integer, headers integer, keys integer, group_keys integer)
returns void
language plpgsql immutable
set search_path = pg_catalog, pg_temp
as $$
-- The lengths of a batch send's arrays; null: not given.
-- Raises: PQ002.
declare
    v_bad text;
begin
    if dimensions > 1 then
        perform pgqueue.fault('PQ002', 'messages has several dimensions', 'Pass a flat array.');
    elsif count > 10000 then
        perform pgqueue.fault('PQ002', format('messages has %s elements, at most 10000', count), 'Split the batch.');
    end if;
    select format('%s messages but %s %s', count, a.length, a.name) into v_bad
    from (values ('headers', headers), ('keys', keys), ('group_keys', group_keys)) a(name, length)
    where a.length <> count limit 1;
    if v_bad is not null then
        perform pgqueue.fault('PQ002', v_bad, 'Pass one element a message (null where there is none), or no array at all.');
    end if;
end
$$;
