create or replace function pgqueue.check_part_arrays(msg_ids bigint[], receipts bigint[], generations bigint[], parts integer[], others integer default null)
returns void
language plpgsql immutable
set search_path = pg_catalog, pg_temp
as $$
-- The arrays of a batch that ends parts: one generation and one part a message. others: length of a further array.
-- Raises: PQ002.
begin
    perform pgqueue.check_batch(msg_ids, receipts, coalesce(cardinality(generations), 0));
    perform pgqueue.check_batch(msg_ids, null, coalesce(cardinality(parts), 0));
    perform pgqueue.check_batch(msg_ids, null, others);
end
$$;
