create or replace function pgqueue.fit_indexes(queue text)
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
-- The indexes of the row side that only limits need; a queue without limits doesn't pay for them. leased: what is in flight; held:
-- the same by identity; key: what waits by identity, so that a read finds its way past identities that have enough.
-- Writes: makes and drops indexes. Locks: r_ against writers while one is made. Raises: PQ010.
declare
    v_settings constant jsonb := (select pgqueue.effective_settings(q.settings) from pgqueue.queue q where q.queue = fit_indexes.queue);
    v_index record;
begin
    for v_index in
        select format('ix_r_%s_%s', queue, i.suffix) as name, i.definition, (v_settings ->> i.setting)::integer > 0 as wanted
        from (values ('leased', 'max_in_flight', '(vt) where receipt is not null'),
                     ('held', 'max_in_flight_per_key', '(pgqueue.limit_key(headers), vt) where receipt is not null'),
                     ('key', 'max_in_flight_per_key', '(pgqueue.limit_key(headers), priority, vt, (msg_id + 0))')) i(suffix, setting, definition)
    loop
        if v_index.wanted and to_regclass(format('pgqueue.%I', v_index.name)) is null then
            perform pgqueue.execute_ddl(format('create index %I on pgqueue.%I %s', v_index.name, 'r_' || queue, v_index.definition), queue);
        elsif not v_index.wanted and to_regclass(format('pgqueue.%I', v_index.name)) is not null then
            perform pgqueue.execute_ddl(format('drop index pgqueue.%I', v_index.name), queue);
        end if;
    end loop;
end
$$;
