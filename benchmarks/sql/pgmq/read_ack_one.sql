select count(*) as n, min(m.msg_id) as msg_id from pgmq.read('{queue}', 30, 1) m \gset
\if :n
select pgmq.delete('{queue}', :msg_id::bigint);
\endif
