with sent as (
    insert into messages (vt, message)
    select clock_timestamp(), unnest(array_fill(:payload::jsonb, array[:qty::integer])) returning msg_id
)
select count(*) from sent;
