create or replace function pgqueue.resign_lead(name text, holder text, token bigint)
returns boolean
language plpgsql security definer
set search_path = pg_catalog, pg_temp
set lock_timeout = '5s'
as $$
-- Give the lease back, so that another process leads at once. The row stays: the next token is drawn under its lock.
-- Returns: false when it was another's by then: nothing was changed. Writes: leader. Locks: the row. Raises: PQ002.
declare
    v_now constant timestamptz := pgqueue.clock();
begin
    perform pgqueue.check_leader(name, holder);
    update pgqueue.leader l set holder = null, expires_at = v_now
    where l.name = resign_lead.name and l.holder = resign_lead.holder and l.token = resign_lead.token;
    return found;
end
$$;
