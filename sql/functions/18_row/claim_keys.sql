create or replace function pgqueue.claim_keys__template_queue(keys text[], ids bigint[], hashes bigint[])
returns bigint[]
language plpgsql security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set enable_bitmapscan = off
set enable_sort = off
set lock_timeout = '5s'
as $$
-- Decide which sends are new: an element without a key, or the first of its key within the window, keeps its own id;
-- any other answers the first id. One upsert decides, also against another transaction's open key, for which it waits.
-- Returns: the deciding id for each element. Writes: k_, and forgets two expired keys a new one.
-- Locks: rows of k_ in the order of the keys. Raises: PQ006 after 5 s of waiting.
declare
    c_window constant interval := '1 day'; -- setting: key_window
    v_now constant timestamptz := pgqueue.clock();
    v_decided bigint[];
    v_other text;
begin
    with distinct_key as (
        select i.key, min(i.place) as place
        from unnest(keys) with ordinality i(key, place)
        where i.key is not null
        group by i.key
    ), decided as (
        insert into pgqueue.k_template_queue as k (key, msg_id, payload_hash, expires_at)
        select d.key, ids[d.place], hashes[d.place], v_now + c_window from distinct_key d order by d.key
        on conflict on constraint ix_k_template_queue_pkey do update
        set msg_id = case when k.expires_at <= v_now then excluded.msg_id else k.msg_id end,
            payload_hash = case when k.expires_at <= v_now then excluded.payload_hash else k.payload_hash end,
            expires_at = case when k.expires_at <= v_now then excluded.expires_at else k.expires_at end
        returning k.key, k.msg_id, k.payload_hash
    )
    select array_agg(coalesce(d.msg_id, ids[i.place]) order by i.place), min(d.key) filter (where d.payload_hash <> hashes[i.place])
    into v_decided, v_other
    from unnest(keys) with ordinality i(key, place)
    left join decided d on d.key = i.key;
    if v_other is not null then
        raise warning 'idempotency key % was first used with another payload; the first message stands', pgqueue.quoted(v_other);
    end if;
    delete from pgqueue.k_template_queue k
    where k.key = any (array(select e.key from pgqueue.k_template_queue e where e.expires_at <= v_now
                             order by e.expires_at limit 2 * cardinality(keys) for update skip locked));
    return v_decided;
exception when lock_not_available then
    perform pgqueue.fault('PQ006', 'another transaction holds this idempotency key open', 'End that transaction, or send again later with the same key.');
end
$$;
