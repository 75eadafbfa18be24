select array_agg(m.msg_id) as ids from pgmq.read('bench', 30, :qty::integer) m \gset
select count(*) from pgmq.delete('bench', :ids::bigint[]);
