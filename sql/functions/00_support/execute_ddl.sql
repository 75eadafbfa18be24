create or replace function pgqueue.execute_ddl(statement text, queue text)
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
-- Run a statement that needs an exclusive lock. A waiting exclusive lock stalls everybody behind it, so it waits 100 ms
-- at most, lets the others pass, and tries again: 30 times, about ten seconds.
-- Locks: what the statement needs. Raises: PQ010 when it never got it.
declare
    v_timeout constant text := current_setting('lock_timeout');
begin
    for v_try in 1 .. 30 loop
        begin
            perform set_config('lock_timeout', '100ms', true);
            execute statement;
            perform set_config('lock_timeout', v_timeout, true);
            return;
        exception when lock_not_available then
            perform pg_sleep(0.2);
        end;
    end loop;
    perform pgqueue.fault('PQ010', format('queue %s is busy', pgqueue.quoted(queue)),
                          'Another transaction holds the queue or its views; end it (see pg_stat_activity) and try again.', left(statement, 80));
end
$$;
