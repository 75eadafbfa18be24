create or replace function pgqueue.create_doorbell(queue text)
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
-- Make w_, which holds until when somebody waits for a message of the queue (ms since the epoch, 0: nobody), unless it is
-- there. A sequence, for it changes outside of transactions and without a row to lock; unlogged, so that waiting writes no
-- WAL and takes no transaction id: after a crash nobody waits until the waiters' next poll.
begin
    if to_regclass(format('pgqueue.%I', 'w_' || queue)) is null then
        execute format('create unlogged sequence pgqueue.%I as bigint minvalue 0 start with 0 cache 1', 'w_' || queue);
    end if;
end
$$;
