create or replace function pgqueue.end_sweep(chore text, token bigint, moved bigint, error text default null, more boolean default false)
returns void
language plpgsql security definer
set search_path = pg_catalog, pg_temp
set lock_timeout = '5s'
as $$
-- Report a run of a chore: what it moved, and its error if it failed. `more`: it stopped at its bound, so it is due again at once.
-- What was moved counts also when another leader has begun the chore since; the rest is that one's to say.
-- Writes: sweep. Locks: the chore.
declare
    v_token constant bigint := token;
    v_error constant text := left(pgqueue.clean_text(error), 1000);
    v_now constant timestamptz := pgqueue.clock();
begin
    update pgqueue.sweep s
    set last_run_at = v_now, last_moved = moved, total = s.total + moved, runs = s.runs + 1,
        failures = case when v_error is null then 0 else s.failures + 1 end,
        last_failed_at = case when v_error is null then s.last_failed_at else v_now end,
        last_error = coalesce(v_error, s.last_error),
        next_at = case when more then v_now else s.next_at end
    where s.chore = end_sweep.chore and s.token = v_token;
    if not found then
        update pgqueue.sweep s set total = s.total + moved, runs = s.runs + 1 where s.chore = end_sweep.chore and s.token > v_token;
    end if;
end
$$;
