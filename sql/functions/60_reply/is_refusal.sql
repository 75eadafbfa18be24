create or replace function pgqueue.is_refusal(code text)
returns boolean
language sql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
-- Whether a send was refused for what only a change elsewhere can cure: the queue is gone or has become smaller, a right is missing.
-- A deadlock, a time-out or a server in trouble is none: the same call may go well later.
-- Returns: true or false.
select $1 in ('PQ001', 'PQ002', 'PQ003', 'PQ008', '42883', '42P01', '42501') or left($1, 2) = '22'
$$;
