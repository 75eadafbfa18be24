create or replace function pgqueue.default_settings()
returns jsonb
language sql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
-- What a queue is like when nothing is said. Durations are seconds; payload_limit is bytes of message::text; a limit of 0 is none.
-- Returns: a JSON object with every setting there is.
select '{"vt": 30, "health_stale": 60, "max_reads": 5, "repark_seconds": 300, "repark_budget": 5, "unknown_grace": 600,
         "backoff": {"base": 1, "factor": 2, "cap": 3600, "jitter": 0.2}, "batch": 100, "archive": false, "retention": 604800,
         "dead_retention": 0, "durability": "safe", "ack_commit": "async", "payload_limit": 1048576, "key_window": 86400,
         "rate_limit": 0, "rate_burst": 0, "max_in_flight": 0, "max_in_flight_per_key": 0}'::jsonb
$$;
