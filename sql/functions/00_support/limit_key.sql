create or replace function pgqueue.limit_key(headers jsonb)
returns bigint
language sql immutable parallel safe
as $$
-- What max_in_flight_per_key counts by: the identity that a sender stored, its key within its scope. A number, for an index can't
-- hold any text; two identities of one number share a limit.
-- No pinned search_path: it is inlined into its callers.
-- Returns: the number; 0 for a message without an identity.
select coalesce(jsonb_hash_extended(coalesce($1 -> 'pgqueue-scope', 'null') || nullif($1 -> 'pgqueue-key', 'null'), 0), 0)
$$;
