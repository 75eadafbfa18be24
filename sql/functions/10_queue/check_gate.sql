create or replace function pgqueue.check_gate(queue text, leases boolean)
returns void
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
-- Refuse to read where a limit on leases couldn't be held: by pop, which leaves none (leases: false), and where those of others are
-- unseen.
-- Raises: PQ002.
begin
    if not leases then
        perform pgqueue.fault('PQ002', format('pop leaves no lease that max_in_flight of queue %s could count', pgqueue.quoted(queue)),
                              'Read and delete, or set the limit to 0 with configure_queue.');
    elsif current_setting('transaction_isolation') not in ('read committed', 'read uncommitted') then
        perform pgqueue.fault('PQ002', format('queue %s has limits: under %s others'' leases are unseen', pgqueue.quoted(queue), current_setting('transaction_isolation')),
                              'Read in a READ COMMITTED transaction.');
    end if;
end
$$;
