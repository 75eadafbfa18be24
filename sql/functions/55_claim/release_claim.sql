create or replace function pgqueue.release_claim(name text, key text, token bigint)
returns text
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
-- Give a claim back unfinished, so that anybody gets it at once: what an error path does, so it never raises. Safe to repeat. The
-- row stays a day: the next token is drawn under its lock.
-- Returns: done; stale (another has it, or it is done: nothing changed); gone. Writes: claim. Locks: the row.
declare
    v_now constant timestamptz := pgqueue.clock();
begin
    update pgqueue.claim c set state = 'free', expires_at = case when c.state = 'free' then c.expires_at else v_now end
    where c.name = release_claim.name and c.key = release_claim.key and c.token = release_claim.token and c.state in ('running', 'free');
    if found then
        return 'done';
    end if;
    return case when exists (select from pgqueue.claim c where c.name = release_claim.name and c.key = release_claim.key) then 'stale' else 'gone' end;
end
$$;
