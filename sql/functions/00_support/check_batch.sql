create or replace function pgqueue.check_batch(msg_ids bigint[], receipts bigint[], others integer default null)
returns void
language plpgsql immutable
set search_path = pg_catalog, pg_temp
as $$
-- The arrays of a batch verb: one dimension, equal length, at most 10,000, no null id; one receipt serves for
-- all. others: length of a third array.
-- Raises: PQ002 with the index of the first bad element.
declare
    v_count constant integer := cardinality(msg_ids);
begin
    if msg_ids is null then
        perform pgqueue.fault('PQ002', 'msg_ids is null', 'Pass an array; an empty one is fine.');
    elsif array_ndims(msg_ids) > 1 or array_lower(msg_ids, 1) <> 1 then
        perform pgqueue.fault('PQ002', 'msg_ids has several dimensions or does not start at 1', 'Pass a flat array.');
    elsif v_count > 10000 then
        perform pgqueue.fault('PQ002', format('msg_ids has %s elements, at most 10000', v_count), 'Split the batch.');
    elsif array_position(msg_ids, null) is not null then
        perform pgqueue.fault('PQ002', format('msg_ids[%s] is null', array_position(msg_ids, null)), 'Pass ids only.');
    elsif receipts is not null and cardinality(receipts) not in (1, v_count) then
        perform pgqueue.fault('PQ002', format('%s msg_ids but %s receipts', v_count, cardinality(receipts)), 'Pass one receipt an id, or a single one for all, or none.');
    elsif others is not null and others <> v_count then
        perform pgqueue.fault('PQ002', format('%s msg_ids but %s values', v_count, others), 'Pass one value an id.');
    end if;
end
$$;
