create or replace function pgqueue.depth(queue text)
returns table (depth bigint, ready bigint, delayed bigint, in_flight bigint, retrying bigint, approx boolean, dead bigint,
               oldest_at timestamptz, last_sent_at timestamptz, last_msg_id bigint)
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
-- Count one queue, by name: exactly up to 10,000 messages a side; beyond that approx says so.
-- Returns: one row, as depth__<queue>.
begin
    return query execute format('select * from pgqueue.%I()', 'depth__' || queue);
end
$$;
