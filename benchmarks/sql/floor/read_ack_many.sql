with gone as (
    delete from messages
    where msg_id = any (array(select msg_id from messages order by msg_id limit :qty::integer for update skip locked))
    returning msg_id, message
)
select array_agg(msg_id) from gone;
