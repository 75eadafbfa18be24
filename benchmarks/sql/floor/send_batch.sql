with sent as (
    insert into messages (message) select unnest(array_fill(:payload::jsonb, array[:qty::integer])) returning msg_id
)
select count(*) from sent;
