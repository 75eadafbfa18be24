create or replace function pgqueue.new_receipt(instant timestamptz)
returns bigint
language sql volatile parallel safe
as $$
-- The receipt of one read: random, and different for each session and instant even where somebody calls setseed(). Not a secret.
-- No pinned search_path: it is inlined into its callers; a strong random number would cost them 4 us.
-- Returns: any bigint.
select pg_catalog.hashint8extended(pg_catalog.int8(pg_catalog.random() operator(pg_catalog.*) 9007199254740992),
                                   pg_catalog.int8(pg_catalog.pg_backend_pid()) operator(pg_catalog.<<) 32
                                   operator(pg_catalog.#) pg_catalog.int8(pg_catalog.date_part('microseconds', $1)))
$$;
