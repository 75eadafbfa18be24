select count(*) as n, array_agg(m.msg_id) as ids from pgmq.read('{queue}', 30, :qty::integer) m \gset
\if :n
select count(*) from pgmq.delete('{queue}', :ids::bigint[]);
\endif
