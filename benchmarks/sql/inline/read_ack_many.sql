with picked as (
    select msg_id from messages where vt <= clock_timestamp() order by msg_id limit :qty::integer for update skip locked
), leased as (
    update messages m
    set last_read_at = clock_timestamp(), vt = clock_timestamp() + interval '30 s', read_ct = read_ct + 1
    from picked where m.msg_id = picked.msg_id
    returning m.msg_id, m.message
)
select array_agg(msg_id) as ids from leased \gset
delete from messages where msg_id = any (:ids::bigint[]);
