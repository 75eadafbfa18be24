create or replace function pgqueue.pick_by_key__template_queue(level smallint, qty integer, filter jsonb, due timestamptz)
returns bigint[]
language plpgsql security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set enable_bitmapscan = off
set enable_sort = off
as $$
-- Choose due messages of a level, of no identity more than what max_in_flight_per_key leaves it. First among the next due ones in
-- claim order. Where those are of identities that have enough, also among others: messages without an identity, and up to 500
-- identities from a random one on, so that a thousand waiting messages of one identity hold up nobody else for long.
-- Returns: ids of at most qty messages. Called under the gate lock.
declare
    c_most_per_key constant integer := '0'; -- setting: max_in_flight_per_key
    v_window constant integer := 3 * qty + 50;
    v_ids bigint[];
    v_seen bigint[];
    v_met integer;
    v_from bigint;
begin
    with due_ones as materialized (
        select d.msg_id, d.place, pgqueue.limit_key(d.headers) as key
        from (select r.msg_id, r.headers, row_number() over (order by r.vt, (r.msg_id + 0)) as place
              from pgqueue.r_template_queue r
              where r.priority = level and r.vt <= due and (filter is null or r.message @> filter)
                and (r.group_key is null or not exists (
                    select from pgqueue.r_template_queue h where h.group_key = r.group_key and (h.msg_id + 0) < r.msg_id))
              order by r.vt, (r.msg_id + 0) limit v_window) d
    ), holder as materialized (
        select k.key, (select count(*) from (select from pgqueue.r_template_queue r
                                             where pgqueue.limit_key(r.headers) = k.key and r.receipt is not null and r.vt > due limit c_most_per_key) h) as held
        from (select distinct d.key from due_ones d where d.key <> 0) k
    ), allowed as (
        select d.msg_id, d.place
        from (select o.*, row_number() over (partition by o.key order by o.place) as nth from due_ones o) d
        left join holder k on k.key = d.key
        where d.key = 0 or d.nth + k.held <= c_most_per_key
        order by d.place limit qty
    )
    select array(select a.msg_id from allowed a order by a.place), array(select k.key from holder k), (select count(*) from due_ones)
    into v_ids, v_seen, v_met;
    if cardinality(v_ids) = qty or v_met < v_window then
        return v_ids;
    end if;
    v_ids := v_ids || array(
        select r.msg_id from pgqueue.r_template_queue r
        where pgqueue.limit_key(r.headers) = 0 and r.priority = level and r.vt <= due and r.msg_id <> all (v_ids)
          and (filter is null or r.message @> filter)
          and (r.group_key is null or not exists (
              select from pgqueue.r_template_queue h where h.group_key = r.group_key and (h.msg_id + 0) < r.msg_id))
        order by r.vt, (r.msg_id + 0) limit qty - cardinality(v_ids));
    v_from := hashint8extended(pgqueue.new_receipt(due), 0);
    for v_round in 1 .. 2 loop
        exit when cardinality(v_ids) = qty;
        v_ids := v_ids || array(
            with recursive keys(key, nth) as (
                (select pgqueue.limit_key(r.headers), 1 from pgqueue.r_template_queue r
                 where pgqueue.limit_key(r.headers) >= v_from order by pgqueue.limit_key(r.headers) limit 1)
                union all
                select (select pgqueue.limit_key(r.headers) from pgqueue.r_template_queue r
                        where pgqueue.limit_key(r.headers) > k.key order by pgqueue.limit_key(r.headers) limit 1), k.nth + 1
                from keys k where k.key is not null and k.nth < 500
            )
            select o.msg_id
            from keys k
            cross join lateral (
                select r.msg_id from pgqueue.r_template_queue r
                where pgqueue.limit_key(r.headers) = k.key and r.priority = level and r.vt <= due and (filter is null or r.message @> filter)
                  and (r.group_key is null or not exists (
                      select from pgqueue.r_template_queue h where h.group_key = r.group_key and (h.msg_id + 0) < r.msg_id))
                order by r.vt, (r.msg_id + 0)
                limit greatest(0, c_most_per_key - (select count(*) from (
                    select from pgqueue.r_template_queue h
                    where pgqueue.limit_key(h.headers) = k.key and h.receipt is not null and h.vt > due limit c_most_per_key) h))) o
            where k.key <> 0 and k.key <> all (v_seen) and o.msg_id <> all (v_ids)
            limit qty - cardinality(v_ids));
        v_from := '-9223372036854775808';
    end loop;
    return v_ids;
end
$$;
