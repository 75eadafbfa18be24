create or replace function pgqueue.forget_replies(qty integer default 1000)
returns integer
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
-- Remove up to qty replies past their time, those that nobody ever wrote included.
-- Returns: how many. Writes: reply. Locks: those rows; locked ones are skipped. Raises: PQ002.
declare
    v_now constant timestamptz := pgqueue.clock();
    v_gone integer;
begin
    if qty is null or qty not between 1 and 10000 then
        perform pgqueue.fault('PQ002', format('qty must be 1 .. 10000, not %s', coalesce(qty::text, 'null')), 'Call again for more.');
    end if;
    delete from pgqueue.reply r
    where r.reply_id = any (array(
        select o.reply_id from pgqueue.reply o where o.expires_at <= v_now order by o.expires_at limit qty for update skip locked));
    get diagnostics v_gone = row_count;
    return v_gone;
end
$$;
