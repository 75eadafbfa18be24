create or replace function pgqueue.forget_finished(queue text, qty integer default 1000)
returns integer
language plpgsql security definer
set search_path = pg_catalog, pg_temp
set enable_seqscan = off
set enable_sort = off
as $$
-- Remove up to qty each: of what the archive has kept for the setting `retention`, of dead letters past `dead_retention` (0: kept for
-- ever), and of idempotency keys past their window. A dead letter that was sent again is kept as long from then on.
-- Returns: how many rows went. Writes: a_, d_, k_<queue>. Locks: those rows; locked ones are skipped. Raises: PQ001, PQ002.
declare
    c_delete constant text := 'delete from pgqueue.%1$I x where x.ctid = any (array(select o.ctid from pgqueue.%1$I o where %2$s limit $2 for update skip locked))';
    v_now constant timestamptz := pgqueue.clock();
    v_settings constant jsonb := pgqueue.queue_settings(queue);
    v_retention constant interval := make_interval(secs => (v_settings ->> 'retention')::float8);
    v_dead constant interval := make_interval(secs => (v_settings ->> 'dead_retention')::float8);
    v_gone integer;
    v_sum integer := 0;
begin
    if qty is null or qty not between 1 and 10000 then
        perform pgqueue.fault('PQ002', format('qty must be 1 .. 10000, not %s', coalesce(qty::text, 'null')), 'Call again for more.');
    end if;
    if v_retention > '0' then
        execute format(c_delete, 'a_' || queue, 'o.archived_at <= $1 order by o.archived_at') using v_now - v_retention, qty;
        get diagnostics v_gone = row_count;
        v_sum := v_sum + v_gone;
    end if;
    if v_dead > '0' then
        execute format(c_delete, 'd_' || queue, 'o.died_at <= $1 and (o.redriven_at is null or o.redriven_at <= $1) order by o.died_at') using v_now - v_dead, qty;
        get diagnostics v_gone = row_count;
        v_sum := v_sum + v_gone;
    end if;
    execute format(c_delete, 'k_' || queue, 'o.expires_at <= $1 order by o.expires_at') using v_now, qty;
    get diagnostics v_gone = row_count;
    return v_sum + v_gone;
end
$$;
