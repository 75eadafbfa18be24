create or replace function pgqueue.barrier_sweep()
returns table (key text, generation bigint, changed integer)
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
-- One bounded step over the barrier that most needs a look: expire it, or find parts whose message is no more. A barrier a call,
-- each in a transaction of its own; safe to repeat and from any number of sessions. One that can't be helped says so in its
-- reason and is tried again after a minute, so that it stops no other.
-- Returns: the barrier and how much was changed; no row when nothing is due. Writes, locks: as sweep_barrier.
declare
    v_now constant timestamptz := pgqueue.clock();
    v_barrier pgqueue.barrier;
    v_changed integer := 0;
    v_problem text;
begin
    select b.* into v_barrier from pgqueue.barrier b where b.state = 'live' and b.check_at <= v_now order by b.check_at limit 1;
    if not found or not pg_try_advisory_xact_lock(hashtextextended('pgqueue.barrier_sweep', v_barrier.generation)) then
        return;
    end if;
    begin
        v_changed := pgqueue.sweep_barrier(v_barrier, v_now);
    exception when others then
        get stacked diagnostics v_problem = message_text;
        update pgqueue.barrier b set check_at = v_now + interval '1 minute', reason = left(pgqueue.clean_text('sweep failed: ' || v_problem), 1000)
        where b.generation = v_barrier.generation and b.state = 'live';
    end;
    return query select v_barrier.key, v_barrier.generation, v_changed;
end
$$;
